-- Predictions with the last label known for each, null while there is none, in no order; `position` is the one they landed in.
-- grain: one prediction.  inputs: predictions(id, time, position, ...), labels(id, label, labelled_at, wk_landed_at, wk_order, wk_row).  reader: operations/join.py
-- Of labels for the same time the one that landed last counts. Tables from before `wk_order` was kept have no such column.
SELECT p.*, l.label
FROM predictions AS p
LEFT JOIN (
    SELECT id, arg_max(label, (labelled_at, wk_landed_at, coalesce(wk_order, 0), wk_row)) AS label
    FROM (SELECT * FROM labels UNION ALL BY NAME SELECT NULL::BIGINT AS wk_order WHERE false)
    WHERE wk_landed_at <= $now AND id IN (SELECT id FROM predictions)
    GROUP BY id
) AS l USING (id)
