-- How long the label that counts took to come (of corrected ones the first that said what the last says), by two clocks: `told`, when the truth became known by the label's own time, and
-- `landed`, when it landed, of predictions that landed while they were fresh (what was loaded later says nothing); `any` counts them all.
-- grain: one clock.  inputs: predictions(id, time, landed_at), labels(id, labelled_at, wk_landed_at).  reader: operations/maturity.py
-- All times are hours. `followed` is how long the oldest quarter has been followed at least: there `first_delay` is the 99th percentile of the
-- delays no longer than that. `delay` is that of all predictions followed at least twice as long as `first_delay`.
WITH told AS (
    SELECT id, label, labelled_at, wk_landed_at FROM labels WHERE wk_landed_at <= $now AND id IN (SELECT id FROM predictions)
),
last AS (SELECT id, arg_max(label, (labelled_at, wk_landed_at)) AS label FROM told GROUP BY id HAVING min(label) <> max(label)),
before AS (  -- until when another label stood, of predictions that were labelled differently
    SELECT t.id, max(t.labelled_at) AS labelled_at, max(t.wk_landed_at) AS wk_landed_at
    FROM told AS t JOIN last AS l USING (id) WHERE t.label <> l.label GROUP BY t.id
),
known AS (
    SELECT t.id, min(t.labelled_at) FILTER (t.labelled_at <> t.wk_landed_at) AS told_at, min(t.wk_landed_at) AS landed_at
    FROM told AS t LEFT JOIN before AS b USING (id)
    WHERE b.id IS NULL OR (t.labelled_at, t.wk_landed_at) > (b.labelled_at, b.wk_landed_at)
    GROUP BY t.id
),
ends AS (
    SELECT least($now, max(labelled_at)) AS told, least($now, max(wk_landed_at)) AS landed FROM labels WHERE wk_landed_at <= $now
),
asked AS (SELECT id, min(time) AS time, min(landed_at) AS landed_at FROM predictions GROUP BY id),
clocks AS (
    SELECT  -- greatest() passes over nulls
        'told' AS clock,
        epoch(ends.told - a.time) / 3600 AS age,
        CASE WHEN k.told_at IS NOT NULL THEN greatest(0, epoch(k.told_at - a.time) / 3600) END AS delay,
        NULL AS sitting
    FROM asked AS a LEFT JOIN known AS k USING (id), ends
    UNION ALL
    SELECT
        'landed',
        epoch(ends.landed - a.time) / 3600,
        CASE WHEN k.landed_at IS NOT NULL THEN epoch(greatest(k.landed_at, a.landed_at) - a.time) / 3600 END,
        k.landed_at
    FROM asked AS a LEFT JOIN known AS k USING (id), ends
    WHERE a.landed_at - a.time <= $fresh
    UNION ALL
    SELECT 'any', 0, CASE WHEN k.id IS NOT NULL THEN 0 END, NULL FROM asked AS a LEFT JOIN known AS k USING (id)
),
sittings AS (SELECT clock, max(n) AS n FROM (SELECT clock, sitting, count(*) AS n FROM clocks WHERE sitting IS NOT NULL GROUP BY ALL) GROUP BY clock),
oldest AS (SELECT clock, quantile_cont(age, 0.75) AS followed FROM clocks GROUP BY clock),
first_delays AS (
    SELECT clock, followed, quantile_cont(delay, 0.99) AS first_delay, count(*) AS first_labels
    FROM clocks JOIN oldest USING (clock)
    WHERE age >= followed AND delay <= followed
    GROUP BY ALL
)
SELECT
    clock,
    count(*) AS predictions,
    count(delay) AS labels,
    coalesce(any_value(s.n), 0) AS largest_sitting,
    any_value(o.followed) AS followed,
    any_value(f.first_delay) AS first_delay,
    coalesce(any_value(f.first_labels), 0) AS first_labels,
    quantile_cont(delay, 0.99) AS least_delay,
    quantile_cont(delay, 0.99) FILTER (age >= 2 * f.first_delay AND delay <= age) AS delay
FROM clocks
JOIN oldest AS o USING (clock)
LEFT JOIN first_delays AS f USING (clock)
LEFT JOIN sittings AS s USING (clock)
GROUP BY clock
