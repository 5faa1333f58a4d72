-- Grain: one row per hour (counted since 1970) with at least one prediction.
-- Inputs: requests (wk_time, is_answered), the events of one model as known at the run's `now`.
-- Reader: adapters/requests.py
SELECT epoch_us(wk_time) // 3600000000 AS hour, count(*) AS predictions
FROM requests
WHERE is_answered
GROUP BY hour
ORDER BY hour
