-- Grain: one row per window, day of prices and version with at least one request.
-- Inputs: requests (wk_time, version, is_answered, input_tokens, output_tokens, cached_tokens), the events of one model as known at the run's `now`;
--         windows (window_start, span_start, span_end, priced_on), disjoint spans.
-- Reader: adapters/requests.py
-- Tokens are paid for whether or not an answer came of them; cached ones are among those that went in, and cannot be more.
SELECT
    w.window_start, w.priced_on, r.version,
    count(*) FILTER (r.is_answered) AS predictions,
    coalesce(sum(greatest(r.input_tokens, 0)), 0)::BIGINT AS input_tokens,
    coalesce(sum(greatest(r.output_tokens, 0)), 0)::BIGINT AS output_tokens,
    coalesce(sum(least(greatest(r.cached_tokens, 0), greatest(r.input_tokens, 0))), 0)::BIGINT AS cached_tokens
FROM requests AS r
INNER JOIN windows AS w ON r.wk_time >= w.span_start AND r.wk_time < w.span_end
GROUP BY w.window_start, w.priced_on, r.version
ORDER BY w.window_start, w.priced_on, r.version
