-- Grain: one row per window, day of prices and version with at least one request.
-- Inputs: requests (wk_time, version, is_answered, input_tokens, output_tokens, cached_tokens), the events of one model as known at the run's `now`;
--         windows (window_start, span_start, span_end, priced_on), disjoint spans.
-- Reader: adapters/requests.py
-- Tokens are paid for whether or not an answer came of them; cached ones are among those that went in, and cannot be more. Negative, fractional and absurd
-- numbers (above a hundred million, as grids.MOST_TOKENS) are no counts: `odd_tokens` are the requests that have one, and it is not paid for.
WITH counts AS (
    SELECT
        * EXCLUDE (input_tokens, output_tokens, cached_tokens),
        CASE WHEN input_tokens BETWEEN 0 AND 1e8 AND input_tokens = floor(input_tokens) THEN input_tokens END AS input_tokens,
        CASE WHEN output_tokens BETWEEN 0 AND 1e8 AND output_tokens = floor(output_tokens) THEN output_tokens END AS output_tokens,
        CASE WHEN cached_tokens BETWEEN 0 AND 1e8 AND cached_tokens = floor(cached_tokens) THEN cached_tokens ELSE 0 END AS cached_tokens,
        (input_tokens IS NOT NULL AND NOT (input_tokens BETWEEN 0 AND 1e8 AND input_tokens = floor(input_tokens)))
        OR (output_tokens IS NOT NULL AND NOT (output_tokens BETWEEN 0 AND 1e8 AND output_tokens = floor(output_tokens))) AS is_odd
    FROM requests
)
SELECT
    w.window_start, w.priced_on, r.version,
    count(*) FILTER (r.is_answered) AS predictions,
    count(*) FILTER (r.is_odd) AS odd_tokens,
    coalesce(sum(r.input_tokens), 0)::BIGINT AS input_tokens,
    coalesce(sum(r.output_tokens), 0)::BIGINT AS output_tokens,
    coalesce(sum(CASE WHEN r.input_tokens IS NOT NULL THEN least(r.cached_tokens, r.input_tokens) END), 0)::BIGINT AS cached_tokens
FROM counts AS r
INNER JOIN windows AS w ON r.wk_time >= w.span_start AND r.wk_time < w.span_end
GROUP BY w.window_start, w.priced_on, r.version
ORDER BY w.window_start, w.priced_on, r.version
