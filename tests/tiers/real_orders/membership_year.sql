-- Years from the day of a customer's first order, and refunds that count at the term's end: the highest level that was
-- reached on any day of a year lasts until the next one ends, whatever is refunded.
--
-- As the third year begins, whoever reached no more in the second year than in the first goes to what the second one
-- came to by then. All orders are in the first two years, and what is looked at is in the first three.
CREATE TEMP TABLE expected AS
WITH joined AS (
    SELECT customer, min(day) AS on_day, (min(day) + interval '1 year')::date AS second_begins,
        (min(day) + interval '2 years')::date AS third_begins
    FROM purchase GROUP BY customer
), of_year AS (
    SELECT customer, day, spend, orders, CASE WHEN ordered_on < second_begins THEN 1 ELSE 2 END AS year
    FROM change JOIN joined USING (customer)
    WHERE day < CASE WHEN ordered_on < second_begins THEN second_begins ELSE third_begins END
), on_each_day AS (
    SELECT customer, day, year, pg_temp.level(sum(spend) OVER so_far, sum(orders) OVER so_far) AS level
    FROM of_year WINDOW so_far AS (PARTITION BY customer, year ORDER BY day)
), reached AS (
    SELECT looked.day, customer,
        COALESCE(max(level) FILTER (WHERE year = 1), 0) AS first_year,
        COALESCE(max(level) FILTER (WHERE year = 2), 0) AS second_year,
        COALESCE((array_agg(level ORDER BY on_each_day.day DESC) FILTER (WHERE year = 2))[1], 0) AS second_in_the_end
    FROM looked JOIN on_each_day ON on_each_day.day <= looked.day
    GROUP BY looked.day, customer
)
SELECT day, customer,
    CASE WHEN day < third_begins OR second_year > first_year THEN greatest(first_year, second_year)
        ELSE second_in_the_end END AS level
FROM reached JOIN joined USING (customer);
