-- Labels beside the position of the prediction they belong to, in no order; of several for one prediction all, with what says which is the last.
-- grain: one label.  inputs: predictions(id, position), labels(id, label, labelled_at, wk_landed_at, wk_order, wk_row).  reader: operations/join.py
-- Of labels for the same time the one that landed last counts. Tables from before `wk_order` was kept have no such column.
SELECT p.position, l.label, l.labelled_at, l.wk_landed_at, coalesce(l.wk_order, 0) AS wk_order, l.wk_row
FROM predictions AS p
JOIN (SELECT * FROM labels UNION ALL BY NAME SELECT NULL::BIGINT AS wk_order WHERE false) AS l USING (id)
