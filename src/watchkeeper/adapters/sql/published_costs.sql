-- What each model cost and its GPUs did, one row a model and window.
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
    max(value) FILTER (metric = 'gpu_wasted_ratio') AS gpu_wasted_ratio,
    max(value) FILTER (metric = 'gpu_co2_kg') AS gpu_co2_kg,
    max(value) FILTER (metric = 'gpu_cost') AS gpu_cost,
    max(value) FILTER (metric = 'gpu_training_hours') AS gpu_training_hours,
    max(value) FILTER (metric = 'gpu_training_cost') AS gpu_training_cost,
    max(value) FILTER (metric = 'token_cost') AS token_cost,
    max(value) FILTER (metric = 'total_cost') AS total_cost,
    max(value) FILTER (metric = 'cost_per_1000_predictions') AS cost_per_1000_predictions,
    max(value) FILTER (metric = 'cost_per_correct_prediction') AS cost_per_correct_prediction,
    coalesce(bool_or(state = 'provisional') FILTER (metric = 'cost_per_correct_prediction'), false) AS is_provisional,
    upper(coalesce(max(unit) FILTER (metric = 'gpu_cost'), max(unit) FILTER (metric = 'total_cost'))) AS currency,
    bool_or(contains(method, 'synthetic')) AS is_synthetic
FROM scores
WHERE
    metric IN (
        'gpu_hours', 'gpu_busy_ratio', 'gpu_energy_kwh', 'gpu_wasted_ratio', 'gpu_co2_kg', 'gpu_cost', 'gpu_training_hours', 'gpu_training_cost',
        'token_cost', 'total_cost', 'cost_per_1000_predictions', 'cost_per_correct_prediction'
    )
    AND segment = '' AND version = ''
GROUP BY model, environment, grain, window_start, window_end
