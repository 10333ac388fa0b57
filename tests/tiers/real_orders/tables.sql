-- An order or a refund changes what counts of the day on which the order was placed. Every one of them is at midnight
-- in New York, so that days are all that is needed.
CREATE TEMP TABLE change AS
SELECT customer, day AS ordered_on, day, amount AS spend, 1 AS orders FROM purchase
UNION ALL
-- An order counts as one until nothing is left of it.
SELECT customer, purchase.day, refund.day, -refund.amount,
    -(sum(refund.amount) OVER (PARTITION BY order_id ORDER BY refund.number) = purchase.amount)::int
FROM refund JOIN purchase USING (order_id);

CREATE INDEX ON change (customer, day);

CREATE FUNCTION pg_temp.level(spend numeric, orders bigint) RETURNS int LANGUAGE sql IMMUTABLE AS
'SELECT CASE WHEN spend >= 500 THEN 3 WHEN spend >= 150 THEN 2 WHEN orders >= 1 THEN 1 ELSE 0 END';

ANALYZE purchase, refund, change;
