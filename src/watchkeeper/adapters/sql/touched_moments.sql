-- Quarters of an hour of event time that new event batches or new label batches touch, by batch; days of some zones begin at half past.
-- grain: a batch and a quarter of an hour.  inputs: predictions(id, time, wk_batch), labels(id, wk_batch), both as known now.  reader: operations/join.py
SELECT wk_batch AS batch, time_bucket(INTERVAL 15 MINUTES, time) AS moment
FROM predictions
WHERE wk_batch IN (SELECT unnest($events))
GROUP BY ALL
UNION ALL
SELECT l.wk_batch AS batch, time_bucket(INTERVAL 15 MINUTES, p.time) AS moment
FROM labels AS l
INNER JOIN predictions AS p USING (id)
WHERE l.wk_batch IN (SELECT unnest($labels))
GROUP BY ALL
