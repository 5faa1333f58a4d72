-- Grain: one row per model with any reading that may be its, and one (null) for all readings together.
-- Inputs: samples (telemetry/gpus), processes (telemetry/gpu_processes); claims (host, model), one row a host and model that it may serve;
--         $now: later readings do not exist yet.
-- Reader: adapters/gpu_hours.py
WITH each AS (
    SELECT model, sampled_at FROM samples WHERE model <> ''
    UNION ALL
    SELECT model, sampled_at FROM processes WHERE model <> ''
    UNION ALL
    SELECT c.model, s.sampled_at FROM samples AS s INNER JOIN claims AS c ON s.host = c.host
    UNION ALL
    SELECT NULL AS model, sampled_at FROM samples
)
SELECT model, min(sampled_at) AS first_at
FROM each
WHERE sampled_at <= $now
GROUP BY model
