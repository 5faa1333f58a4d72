-- A sample of events that is the same whenever it is drawn again: the $size rows whose place hashes lowest under $seed.
-- Grain: one event. Inputs: events (one model's). Reader: operations/look.py.
SELECT *
FROM events
WHERE wk_time >= $start AND wk_time < $end AND wk_landed_at <= $as_of
ORDER BY md5(concat_ws('/', wk_batch, wk_row, $seed))
LIMIT $size
