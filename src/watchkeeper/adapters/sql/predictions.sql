-- Grain: one row per window, day of prices and version with at least one request.
-- Inputs: requests (wk_time, version, is_answered, input_tokens, output_tokens, cached_tokens), the events of one model as known at the run's `now`;
--         windows (window_start, span_start, span_end, priced_on), disjoint spans; serving (window_start, device_uuid, is_synthetic), the GPUs that
--         served the model in each; sampled (device_uuid, is_synthetic, from_us, to_us), when each GPU was sampled.
-- Reader: adapters/requests.py
-- Tokens are paid for whether or not an answer came of them; cached ones are among those that went in, and cannot be more. Negative, fractional and absurd
-- numbers (above a hundred million, as grids.MOST_TOKENS) are no counts: `odd_tokens` are the requests that have one, and it is not paid for.
-- A prediction is one of sampled time when any GPU that served its window was sampled at its moment, whoever held it then.
WITH within AS (
    SELECT s.is_synthetic, greatest(s.from_us, epoch_us(w.span_start)) AS from_us, least(s.to_us, epoch_us(w.span_end)) AS to_us
    FROM serving AS g
    INNER JOIN windows AS w USING (window_start)
    INNER JOIN sampled AS s USING (device_uuid, is_synthetic)
    WHERE s.from_us < epoch_us(w.span_end) AND s.to_us > epoch_us(w.span_start)
),
begun AS (
    SELECT *, coalesce(from_us > max(to_us) OVER earlier, true) AS is_new
    FROM within
    WINDOW earlier AS (PARTITION BY is_synthetic ORDER BY from_us, to_us ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
numbered AS (
    SELECT *, count(*) FILTER (is_new) OVER (PARTITION BY is_synthetic ORDER BY from_us, to_us ROWS UNBOUNDED PRECEDING) AS stretch
    FROM begun
),
stretches AS (SELECT is_synthetic, min(from_us) AS from_us, max(to_us) AS to_us FROM numbered GROUP BY is_synthetic, stretch),
measured AS (SELECT from_us, to_us FROM stretches WHERE NOT is_synthetic),
made_up AS (SELECT from_us, to_us FROM stretches WHERE is_synthetic),
counts AS (
    SELECT
        * EXCLUDE (input_tokens, output_tokens, cached_tokens),
        CASE WHEN input_tokens BETWEEN 0 AND 1e8 AND input_tokens = floor(input_tokens) THEN input_tokens END AS input_tokens,
        CASE WHEN output_tokens BETWEEN 0 AND 1e8 AND output_tokens = floor(output_tokens) THEN output_tokens END AS output_tokens,
        CASE WHEN cached_tokens BETWEEN 0 AND 1e8 AND cached_tokens = floor(cached_tokens) THEN cached_tokens ELSE 0 END AS cached_tokens,
        (input_tokens IS NOT NULL AND NOT (input_tokens BETWEEN 0 AND 1e8 AND input_tokens = floor(input_tokens)))
        OR (output_tokens IS NOT NULL AND NOT (output_tokens BETWEEN 0 AND 1e8 AND output_tokens = floor(output_tokens))) AS is_odd
    FROM requests
),
asked AS (
    SELECT w.window_start, w.priced_on, epoch_us(r.wk_time) AS at_us, r.* EXCLUDE (wk_time)
    FROM counts AS r
    INNER JOIN windows AS w ON r.wk_time >= w.span_start AND r.wk_time < w.span_end
)
SELECT
    a.window_start, a.priced_on, a.version,
    count(*) AS requests,
    count(*) FILTER (a.is_answered) AS predictions,
    count(*) FILTER (a.is_answered AND a.at_us < m.to_us) AS measured,
    count(*) FILTER (a.is_answered AND a.at_us < s.to_us) AS made_up,
    count(*) FILTER (a.is_odd) AS odd_tokens,
    coalesce(sum(a.input_tokens), 0)::BIGINT AS input_tokens,
    coalesce(sum(a.output_tokens), 0)::BIGINT AS output_tokens,
    coalesce(sum(CASE WHEN a.input_tokens IS NOT NULL THEN least(a.cached_tokens, a.input_tokens) END), 0)::BIGINT AS cached_tokens
FROM asked AS a
ASOF LEFT JOIN measured AS m ON a.at_us >= m.from_us
ASOF LEFT JOIN made_up AS s ON a.at_us >= s.from_us
GROUP BY a.window_start, a.priced_on, a.version
ORDER BY a.window_start, a.priced_on, a.version
