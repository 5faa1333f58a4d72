-- Grain: one row per window with at least one prediction.
-- Inputs: answers (wk_time), the events of one model that carry an answer, as known at the run's `now`; windows (window_start, window_end).
-- Reader: adapters/gpu_hours.py
SELECT w.window_start, count(*) AS predictions
FROM answers AS a
INNER JOIN windows AS w ON a.wk_time >= w.window_start AND a.wk_time < w.window_end
GROUP BY w.window_start
ORDER BY w.window_start
