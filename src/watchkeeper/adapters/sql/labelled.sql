-- Predictions with the last label known for each, null while there is none, in no order; `position` is the one they landed in.
-- grain: one prediction.  inputs: predictions(id, time, position, ...), labels(id, label, labelled_at, wk_landed_at, wk_row).  reader: operations/join.py
SELECT p.*, l.label
FROM predictions AS p
LEFT JOIN (
    SELECT id, arg_max(label, (labelled_at, wk_landed_at, wk_row)) AS label
    FROM labels
    WHERE wk_landed_at <= $now AND id IN (SELECT id FROM predictions)
    GROUP BY id
) AS l USING (id)
