-- Quarters of an hour of event time that new event batches or new label batches touch; days of some zones begin at half past.
-- grain: a quarter of an hour.  inputs: predictions(id, time, wk_batch), labels(id, wk_batch), both as known now.  reader: operations/join.py
SELECT DISTINCT time_bucket(INTERVAL 15 MINUTES, p.time) AS moment
FROM predictions AS p
WHERE list_contains($events, p.wk_batch)
   OR p.id IN (SELECT id FROM labels WHERE list_contains($labels, wk_batch))
