-- What each model's GPUs did and cost, one row a model and window.
-- Grain: model, environment, grain, window. Inputs: scores (newest revisions). Readers: the view `costs` of the published file and of `watchkeeper sql`.
SELECT
    model,
    environment,
    grain,
    window_start,
    window_end,
    max(value) FILTER (metric = 'gpu_hours') AS gpu_hours,
    max(value) FILTER (metric = 'gpu_busy_ratio') AS gpu_busy_ratio,
    max(value) FILTER (metric = 'gpu_energy_kwh') AS gpu_energy_kwh,
    max(value) FILTER (metric = 'gpu_cost') AS gpu_cost,
    max(value) FILTER (metric = 'cost_per_1000_predictions') AS cost_per_1000_predictions,
    upper(max(unit) FILTER (metric = 'gpu_cost')) AS currency,
    bool_or(contains(method, 'synthetic')) AS is_synthetic
FROM scores
WHERE metric IN ('gpu_hours', 'gpu_busy_ratio', 'gpu_energy_kwh', 'gpu_cost', 'cost_per_1000_predictions') AND segment = '' AND version = ''
GROUP BY model, environment, grain, window_start, window_end
