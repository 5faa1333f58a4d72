-- Grain: one row per window, day of prices, host, GPU, model (null: none), version, team, purpose, how that is known, and kind of trace, with any sampled time.
-- Inputs: samples (telemetry/gpus), processes (telemetry/gpu_processes); windows (window_start, span_start, span_end, priced_on), disjoint spans;
--         hosts (host, model), hosts that serve one model; requests (host, hour, model, predictions) of hosts that several share, `hour` since 1970;
--         $since and $until bound the readings that can reach into the windows, $counted_since those whose counter these go on from; $longest_us: no
--         reading stands for more.
-- Reader: adapters/gpu_hours.py
-- A reading stands for the interval before it. Time that several readings of a device claim goes to the one that began first, whatever host they
-- name, so that two samplers bill once. Time that none claims is in no row: it is unknown. A MIG slice takes its fraction of its GPU's time, and the
-- GPU's own reading the rest, which nobody can hold. Energy is what the driver's counter rose by since the reading before by the same sampler, where that
-- was taken when this one's interval began (to 5 % of it, as clocks are read one after the other); else power times time. A counter that stands still
-- tells nothing, as no GPU runs on nothing: where it rises again after such readings, their time has its part of the rise, which is not added to what
-- power says of it. That is so between two changes that were seen: the first rise of a counter that is told more slowly than it is read, as an exporter's
-- may be, can hold energy from before the first reading, and counts as nothing. A driver's own is told at each reading. Whole microseconds and microjoules, split by cumulative rounding, make every sum exact.
WITH told AS (
    SELECT DISTINCT
        host, device_uuid, coalesce(model, '') AS model, is_synthetic, utilisation_ratio, power_w, nullif(energy_j, 0) AS energy_j, source,
        regexp_replace(device_name, '\s+MIG\s.*$', '') AS device_name,
        coalesce(nullif(parent_uuid, ''), device_uuid) AS gpu_uuid,
        round(coalesce(fraction, 1) * 1e9)::BIGINT AS fraction_e9,
        epoch_us(sampled_at) AS read_us,
        epoch_us(sampled_at) - least(round(interval_s * 1e6)::BIGINT, $longest_us) AS starts_us
    FROM samples
    WHERE sampled_at > $counted_since AND sampled_at <= $until AND interval_s >= 0
),
counters AS (
    SELECT *, lag(read_us) OVER series AS before_us, energy_j - lag(energy_j) OVER series AS rise_j
    FROM told
    WINDOW series AS (
        PARTITION BY host, source, device_uuid, is_synthetic, energy_j IS NULL
        ORDER BY read_us, starts_us, energy_j, utilisation_ratio, power_w, model, device_name, fraction_e9, gpu_uuid
    )
),
looked AS (
    SELECT
        *, coalesce(rise_j <> 0 OR read_us - before_us > $longest_us, true) AS is_end,
        coalesce(read_us > before_us AND 20 * (starts_us - before_us) <= read_us - before_us, false) AS goes_on
    FROM counters
),
moves AS (
    SELECT *, max(read_us) FILTER (is_end) OVER earlier AS moved_us, max(read_us) FILTER (goes_on AND rise_j <> 0) OVER earlier AS seen_us
    FROM looked
    WINDOW earlier AS (
        PARTITION BY host, source, device_uuid, is_synthetic, energy_j IS NULL
        ORDER BY read_us, starts_us, energy_j, utilisation_ratio, power_w, model, device_name, fraction_e9, gpu_uuid
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
counted AS (
    SELECT
        *,
        CASE
            WHEN rise_j > 0 AND goes_on AND read_us - moved_us <= 2 * $longest_us AND (moved_us = seen_us OR (moved_us = before_us AND source <> 'dcgm'))
                THEN rise_j * 1e6 / (read_us - moved_us)
        END AS counted_w
    FROM moves
),
readings AS (
    SELECT
        * EXCLUDE (power_w, energy_j, source, before_us, rise_j, is_end, goes_on, moved_us, seen_us, counted_w), coalesce(counted_w, power_w) AS power_w, counted_w IS NOT NULL AS is_counted
    FROM counted
    WHERE read_us > epoch_us($since) AND read_us > starts_us
),
claims AS (
    SELECT *, greatest(starts_us, coalesce(max(read_us) OVER earlier, starts_us)) AS from_us
    FROM readings
    WINDOW earlier AS (
        PARTITION BY device_uuid, is_synthetic
        ORDER BY starts_us, read_us DESC, model DESC, host, device_name, utilisation_ratio DESC NULLS LAST, power_w DESC NULLS LAST, is_counted DESC, fraction_e9, gpu_uuid
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
held AS (SELECT * FROM claims WHERE read_us > from_us),
cut AS (SELECT DISTINCT gpu_uuid, is_synthetic FROM held WHERE gpu_uuid <> device_uuid),
edges AS (
    SELECT gpu_uuid, is_synthetic, from_us AS at_us FROM held SEMI JOIN cut USING (gpu_uuid, is_synthetic)
    UNION
    SELECT gpu_uuid, is_synthetic, read_us AS at_us FROM held SEMI JOIN cut USING (gpu_uuid, is_synthetic)
),
steps AS (
    SELECT gpu_uuid, is_synthetic, at_us AS step_us, lead(at_us) OVER (PARTITION BY gpu_uuid, is_synthetic ORDER BY at_us) AS to_us
    FROM edges
),
devices AS (SELECT DISTINCT gpu_uuid, is_synthetic, device_uuid FROM held SEMI JOIN cut USING (gpu_uuid, is_synthetic)),
looks AS (SELECT * FROM steps INNER JOIN devices USING (gpu_uuid, is_synthetic) WHERE to_us IS NOT NULL),
stretches AS (
    SELECT gpu_uuid, device_uuid, is_synthetic, from_us, read_us AS to_us, host, device_name, model, utilisation_ratio, power_w, is_counted, fraction_e9, read_us,
        false AS is_cut
    FROM held ANTI JOIN cut USING (gpu_uuid, is_synthetic)
    UNION ALL
    SELECT
        l.gpu_uuid, l.device_uuid, l.is_synthetic, l.step_us AS from_us, l.to_us, h.host, h.device_name, h.model, h.utilisation_ratio, h.power_w,
        h.is_counted, h.fraction_e9, h.read_us, true AS is_cut
    FROM looks AS l
    ASOF INNER JOIN held AS h ON l.device_uuid = h.device_uuid AND l.is_synthetic = h.is_synthetic AND l.gpu_uuid = h.gpu_uuid AND l.step_us >= h.from_us
    WHERE h.read_us >= l.to_us
),
within AS (
    SELECT
        s.* EXCLUDE (from_us, to_us), w.window_start, w.priced_on,
        greatest(s.from_us, epoch_us(w.span_start)) AS from_us,
        least(s.to_us, epoch_us(w.span_end)) AS to_us
    FROM stretches AS s
    INNER JOIN windows AS w ON s.from_us < epoch_us(w.span_end) AND s.to_us > epoch_us(w.span_start)
),
hourly AS (
    SELECT *, unnest(range(from_us // 3600000000, (to_us - 1) // 3600000000 + 1)) AS hour
    FROM within
),
pieces AS (
    SELECT
        * EXCLUDE (from_us, to_us), greatest(from_us, hour * 3600000000) AS from_us, least(to_us, (hour + 1) * 3600000000) AS to_us,
        is_cut AND gpu_uuid = device_uuid AS is_own
    FROM hourly
),
cuts AS (
    SELECT
        *, to_us - from_us AS us,
        sum(CASE WHEN is_own THEN 0 ELSE fraction_e9 END) OVER same AS slices_e9,
        sum(CASE WHEN is_own THEN 0 ELSE fraction_e9 END) OVER (same ORDER BY is_own, device_uuid ROWS UNBOUNDED PRECEDING) AS upto_e9,
        max(power_w) FILTER (is_own) OVER same AS gpu_power_w, bool_or(is_counted) FILTER (is_own) OVER same AS is_gpu_counted
    FROM pieces
    WINDOW same AS (PARTITION BY gpu_uuid, is_synthetic, window_start, priced_on, from_us)
),
wholes AS (
    SELECT *, is_own AND slices_e9 > 0 AS is_rest, CASE WHEN slices_e9 > 1000000000 - 100 THEN slices_e9 ELSE 1000000000 END::HUGEINT AS whole_e9
    FROM cuts
),
timed AS (
    SELECT
        *,
        CASE
            WHEN NOT is_cut THEN us
            WHEN is_own THEN us - ((us * upto_e9) // whole_e9)::BIGINT
            ELSE ((us * upto_e9) // whole_e9 - (us * (upto_e9 - fraction_e9)) // whole_e9)::BIGINT
        END AS gpu_us
    FROM wholes
),
measured AS (
    SELECT
        row_number() OVER () AS piece, * REPLACE (CASE WHEN gpu_power_w IS NOT NULL THEN is_gpu_counted ELSE is_counted END AS is_counted),
        CASE WHEN is_rest THEN 0 ELSE utilisation_ratio END AS busy_ratio,
        CASE WHEN gpu_power_w IS NOT NULL THEN gpu_us * gpu_power_w ELSE us * power_w END AS energy
    FROM timed
    WHERE gpu_us > 0
),
ran AS (
    SELECT
        device_uuid, is_synthetic, epoch_us(sampled_at) AS at_us, host, pid, name, nullif(model, '') AS model, coalesce(version, '') AS version,
        coalesce(team, '') AS team, coalesce(nullif(purpose, ''), 'serving') AS purpose, coalesce(attributed_by, '') AS attributed_by,
        max(round(sm_ratio * 1e6)::BIGINT) AS sm, max(memory_used_bytes) AS memory,
        min(epoch_us(sampled_at) - least(round(interval_s * 1e6)::BIGINT, $longest_us)) AS starts_us
    FROM processes
    WHERE sampled_at > $since AND sampled_at <= $until
    GROUP BY ALL
),
sets AS (
    SELECT
        device_uuid, is_synthetic, at_us, min(starts_us) AS starts_us,
        count(*) = count(sm) AND sum(sm) > 0 AS by_sm,
        count(*) = count(memory) AND sum(memory) > 0 AS by_memory
    FROM ran
    GROUP BY device_uuid, is_synthetic, at_us
),
holders AS (
    SELECT
        device_uuid, is_synthetic, at_us, r.model, r.version, r.team, r.purpose,
        CASE WHEN r.model IS NULL THEN '' ELSE coalesce(nullif(r.attributed_by, ''), 'process') END AS how,
        sum(CASE WHEN s.by_sm THEN r.sm WHEN s.by_memory THEN r.memory ELSE 1 END) AS weight
    FROM ran AS r
    INNER JOIN sets AS s USING (device_uuid, is_synthetic, at_us)
    GROUP BY ALL
),
seen AS (
    SELECT m.*, CASE WHEN NOT m.is_rest AND s.starts_us < m.to_us THEN s.at_us END AS set_us
    FROM measured AS m
    ASOF LEFT JOIN sets AS s ON m.device_uuid = s.device_uuid AND m.is_synthetic = s.is_synthetic AND m.read_us <= s.at_us
),
known AS (
    SELECT
        p.* EXCLUDE (model), coalesce(h.weight, 1)::HUGEINT AS weight, h.version, h.team, h.purpose,
        coalesce(h.model, CASE WHEN p.is_rest THEN NULL ELSE coalesce(nullif(p.model, ''), o.model) END) AS model,
        CASE WHEN h.model IS NOT NULL THEN h.how WHEN p.is_rest THEN '' WHEN p.model <> '' THEN 'sampler' WHEN o.model IS NOT NULL THEN 'host' ELSE '' END AS how
    FROM seen AS p
    LEFT JOIN holders AS h ON p.device_uuid = h.device_uuid AND p.is_synthetic = h.is_synthetic AND p.set_us = h.at_us
    LEFT JOIN hosts AS o ON p.host = o.host
    WHERE coalesce(h.weight, 1) > 0
),
asked AS (SELECT host, hour, sum(predictions)::HUGEINT AS every FROM requests GROUP BY host, hour HAVING sum(predictions) > 0),
shares AS (
    SELECT
        k.* EXCLUDE (model, how, weight, version, team, purpose),
        coalesce(k.model, r.model) AS model,
        CASE
            WHEN k.how <> '' THEN k.how WHEN r.model IS NOT NULL THEN 'requests' WHEN k.set_us IS NULL AND k.busy_ratio = 0 THEN 'idle' ELSE 'unattributed'
        END AS how,
        coalesce(k.version, '') AS version, coalesce(k.team, '') AS team, coalesce(k.purpose, 'serving') AS purpose,
        k.weight * coalesce(r.predictions, a.every, 1) AS weight
    FROM known AS k
    LEFT JOIN asked AS a ON k.host = a.host AND k.hour = a.hour AND NOT k.is_rest
    LEFT JOIN requests AS r ON k.model IS NULL AND NOT k.is_rest AND k.host = r.host AND k.hour = r.hour AND r.predictions > 0
),
summed AS (
    SELECT
        *, sum(weight) OVER (PARTITION BY piece) AS every_weight,
        sum(weight) OVER (PARTITION BY piece ORDER BY model NULLS LAST, version, team, purpose, how ROWS UNBOUNDED PRECEDING) AS upto,
        round(gpu_us * busy_ratio)::HUGEINT AS busy, round(energy)::HUGEINT AS uj
    FROM shares
),
split AS (
    SELECT
        *,
        ((gpu_us * upto) // every_weight - (gpu_us * (upto - weight)) // every_weight)::BIGINT AS share_us,
        ((busy * upto) // every_weight - (busy * (upto - weight)) // every_weight)::BIGINT AS share_busy_us,
        ((uj * upto) // every_weight - (uj * (upto - weight)) // every_weight)::BIGINT AS share_uj
    FROM summed
),
uses AS (
    SELECT
        window_start, priced_on, host, gpu_uuid AS device_uuid, device_name, model, version, team, purpose, how, is_synthetic,
        count(DISTINCT read_us) AS samples,
        sum(share_us)::BIGINT AS sampled_us,
        coalesce(sum(share_us) FILTER (busy_ratio IS NOT NULL), 0)::BIGINT AS busy_known_us,
        coalesce(sum(share_busy_us), 0)::BIGINT AS busy_us,
        coalesce(sum(share_us) FILTER (busy_ratio = 0), 0)::BIGINT AS still_us,
        coalesce(sum(share_us) FILTER (energy IS NOT NULL), 0)::BIGINT AS energy_known_us,
        coalesce(sum(share_uj), 0)::BIGINT AS energy_uj,
        coalesce(sum(share_uj) FILTER (is_counted), 0)::BIGINT AS energy_counted_uj
    FROM split
    GROUP BY ALL
)
SELECT *, (sum(sampled_us) OVER (PARTITION BY window_start, device_uuid, is_synthetic))::BIGINT AS device_us
FROM uses
ORDER BY window_start, priced_on, host, device_uuid, device_name, model, version, team, purpose, how, is_synthetic
