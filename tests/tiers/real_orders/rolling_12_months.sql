-- The twelve months before each day, tiers that last for twelve months, and refunds that count at the term's end.
--
-- A course begins on no level. From each of its steps it goes to the first day before the term's end on which an order
-- reaches a higher level, or, where there is none, to the level that is reached as the term ends, when the order that began it is
-- a year old and counts no more.
CREATE TEMP TABLE reached AS
SELECT ordered.customer, ordered.day, pg_temp.level(sum(spend), sum(orders)) AS level
FROM (SELECT DISTINCT customer, day FROM purchase) AS ordered
JOIN change ON change.customer = ordered.customer AND change.day <= ordered.day
    AND change.ordered_on > ordered.day - interval '1 year'
GROUP BY ordered.customer, ordered.day;

CREATE INDEX ON reached (customer, day);
ANALYZE reached;

CREATE TEMP TABLE expected AS
WITH RECURSIVE course AS (
    SELECT DISTINCT customer, 0 AS step, DATE '-infinity' AS since, 0 AS level, DATE 'infinity' AS until FROM purchase
    UNION ALL
    SELECT customer, step + 1, next.* FROM course, LATERAL (
        (SELECT day AS since, reached.level, (day + interval '1 year')::date AS until FROM reached
         WHERE reached.customer = course.customer AND day >= course.since AND day < course.until
             AND reached.level > course.level
         ORDER BY day LIMIT 1)
        UNION ALL
        (SELECT course.until, kept.level,
             CASE WHEN kept.level > 0 THEN (course.until + interval '1 year')::date ELSE 'infinity' END
         FROM (SELECT pg_temp.level(sum(spend), sum(orders)) AS level FROM change
               WHERE change.customer = course.customer AND change.day <= course.until
                   AND change.ordered_on > course.until - interval '1 year') AS kept
         WHERE course.until < 'infinity')
        ORDER BY since LIMIT 1
    ) AS next
    WHERE course.since <= (SELECT max(day) FROM looked)
)
SELECT DISTINCT ON (looked.day, customer) looked.day, customer, level
FROM looked JOIN course ON since <= looked.day
ORDER BY looked.day, customer, step DESC;
