-- Hours of event time that new event batches or new label batches touch.
-- grain: one hour.  inputs: predictions(id, time, wk_batch), labels(id, wk_batch), both as known now.  reader: operations/join.py
SELECT DISTINCT date_trunc('hour', p.time) AS hour
FROM predictions AS p
WHERE list_contains($events, p.wk_batch)
   OR p.id IN (SELECT id FROM labels WHERE list_contains($labels, wk_batch))
