-- How many predictions lie in each quarter of an hour.
-- grain: a quarter of an hour.  inputs: predictions(time), as known now.  reader: operations/join.py
SELECT time_bucket(INTERVAL 15 MINUTES, time) AS moment, count(*) AS n
FROM predictions
GROUP BY ALL
