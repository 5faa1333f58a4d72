-- Grain: one row per GPU, kind of trace and stretch of time that was sampled without a gap; stretches of a GPU are disjoint.
-- Inputs: samples (telemetry/gpus); $since and $until bound the readings; $longest_us: no reading stands for more.
-- Reader: adapters/gpu_hours.py
-- A reading stands for the interval before it. That of a MIG slice is one of its GPU.
WITH readings AS (
    SELECT DISTINCT
        coalesce(nullif(parent_uuid, ''), device_uuid) AS device_uuid, is_synthetic,
        epoch_us(sampled_at) - least(round(interval_s * 1e6)::BIGINT, $longest_us) AS from_us,
        epoch_us(sampled_at) AS to_us
    FROM samples
    WHERE sampled_at > $since AND sampled_at <= $until AND interval_s > 0
),
begun AS (
    SELECT *, coalesce(from_us > max(to_us) OVER earlier, true) AS is_new
    FROM readings
    WINDOW earlier AS (PARTITION BY device_uuid, is_synthetic ORDER BY from_us, to_us ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
numbered AS (
    SELECT *, count(*) FILTER (is_new) OVER (PARTITION BY device_uuid, is_synthetic ORDER BY from_us, to_us ROWS UNBOUNDED PRECEDING) AS stretch
    FROM begun
)
SELECT device_uuid, is_synthetic, min(from_us) AS from_us, max(to_us) AS to_us
FROM numbered
GROUP BY device_uuid, is_synthetic, stretch
ORDER BY device_uuid, is_synthetic, from_us
