-- Calendar years, and refunds that count at once: as if the order had been that much less.
--
-- Nobody has a tier before the first year, so that what is reached in it lasts until the second one ends, and of what is
-- reached in both the higher counts. As the third year begins, whoever reached no more in the second year than in the
-- first goes to what the second one came to. Whoever reached more keeps that until the third year ends, unless a refund
-- takes it away; then the first year's tier has ended too, and the second year's sum decides as it is by then. What is
-- decided stays so until the third year ends, and nothing is ordered in that year.
--
-- So of each date it must be known until which day refunds count: until the date, or until the day that decided.
CREATE TEMP TABLE expected AS
WITH known AS (
    SELECT looked.day, customer, looked.day AS until FROM looked, purchase
    UNION
    SELECT looked.day, customer, DATE '2025-12-31' FROM looked, purchase WHERE looked.day > '2025-12-31'
    UNION
    SELECT looked.day, customer, change.day FROM looked JOIN change ON change.day BETWEEN '2026-01-01' AND looked.day
), reached AS (
    SELECT known.day, customer, known.until,
        pg_temp.level(sum(spend) FILTER (WHERE ordered_on < '2025-01-01'),
            sum(orders) FILTER (WHERE ordered_on < '2025-01-01')) AS first_year,
        pg_temp.level(sum(spend) FILTER (WHERE ordered_on >= '2025-01-01'),
            sum(orders) FILTER (WHERE ordered_on >= '2025-01-01')) AS second_year
    FROM known JOIN change USING (customer)
    WHERE change.day <= known.until
    GROUP BY known.day, customer, known.until
)
SELECT DISTINCT ON (day, customer) day, customer,
    CASE WHEN day <= '2025-12-31' THEN greatest(first_year, second_year) ELSE second_year END AS level
FROM reached
WHERE until = day OR first_year >= second_year
ORDER BY day, customer, until;
