-- Grain: one row per window, host, device, model (null: unattributed) and kind of trace (measured or synthetic) with any sampled time.
-- Inputs: samples (telemetry/gpus); windows (window_start, window_end), disjoint; hosts (host, model), one row a host;
--         $since and $until bound the readings that can reach into the windows; $longest_us: no reading stands for more.
-- Reader: adapters/gpu_hours.py
-- A reading stands for the interval before it. Time that several readings claim goes to the one that began first, so that
-- two samplers on one host bill once. Time that none claims is in no row: it is unknown. Whole microseconds and microjoules
-- make sums exact in any order.
WITH readings AS (
    SELECT DISTINCT
        host, device_uuid, device_name, model, is_synthetic, utilisation_ratio, power_w,
        epoch_us(sampled_at) AS ends_us,
        epoch_us(sampled_at) - least(round(interval_s * 1e6)::BIGINT, $longest_us) AS starts_us
    FROM samples
    WHERE sampled_at > $since AND sampled_at <= $until AND interval_s > 0
),
claims AS (
    SELECT *, greatest(starts_us, coalesce(max(ends_us) OVER earlier, starts_us)) AS from_us
    FROM readings
    WINDOW earlier AS (
        PARTITION BY host, device_uuid, is_synthetic
        ORDER BY starts_us, ends_us DESC, model DESC, device_name, utilisation_ratio DESC NULLS LAST, power_w DESC NULLS LAST
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
pieces AS (
    SELECT
        w.window_start, c.host, c.device_uuid, c.device_name, c.is_synthetic, c.utilisation_ratio, c.power_w,
        coalesce(nullif(c.model, ''), h.model) AS model,
        least(c.ends_us, epoch_us(w.window_end)) - greatest(c.from_us, epoch_us(w.window_start)) AS us
    FROM claims AS c
    INNER JOIN windows AS w ON c.from_us < epoch_us(w.window_end) AND c.ends_us > epoch_us(w.window_start)
    LEFT JOIN hosts AS h ON c.host = h.host
    WHERE c.ends_us > c.from_us
),
uses AS (
    SELECT
        window_start, host, device_uuid, device_name, model, is_synthetic,
        count(*) AS samples,
        sum(us)::BIGINT AS sampled_us,
        coalesce(sum(us) FILTER (utilisation_ratio IS NOT NULL), 0)::BIGINT AS busy_known_us,
        coalesce(sum(round(us * utilisation_ratio)::BIGINT), 0)::BIGINT AS busy_us,
        coalesce(sum(us) FILTER (power_w IS NOT NULL), 0)::BIGINT AS energy_known_us,
        coalesce(sum(round(us * power_w)::BIGINT), 0)::BIGINT AS energy_uj
    FROM pieces
    GROUP BY window_start, host, device_uuid, device_name, model, is_synthetic
)
SELECT *, (sum(sampled_us) OVER (PARTITION BY window_start, host, device_uuid, is_synthetic))::BIGINT AS device_us
FROM uses
ORDER BY window_start, host, device_uuid, device_name, model, is_synthetic
