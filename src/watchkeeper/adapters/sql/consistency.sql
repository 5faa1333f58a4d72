-- Inputs that were scored more than once by one version, and how far their outputs lie apart.
-- grain: one of the $examples inputs that differ most, each beside the totals of all; one row without an example where none differs.
-- inputs: predictions(position, id, version, score, decision, and each column of the input as in:NAME).  reader: operations/consistency.py
-- GROUP BY holds null and null, NaN and NaN, 0 and -0 for the same value, and no other two numbers; it compares values, and not hashes of
-- them. Ids and decisions are told apart by 64-bit hashes. Scores differ beyond $tolerance of their size, or of 1 where they are less.
-- What is kept of an input has the same size whatever it was, so that DuckDB can spill it.
WITH inputs AS (
    SELECT
        version,
        COLUMNS('^in:'),
        count(*) AS times,
        min(hash(id)) <> max(hash(id)) AS is_repeated,
        count(score) AS scored,
        max(score) - min(score) AS spread,
        greatest(1, abs(min(score)), abs(max(score))) AS size,
        var_samp(score) AS variance,
        min(hash(decision)) <> max(hash(decision)) AS is_decided_otherwise,
        arg_min(position, score) AS at_lowest,
        arg_max(position, score) AS at_highest,
        arg_min(position, hash(decision)) AS at_one_decision,
        arg_max(position, hash(decision)) AS at_another
    FROM predictions
    GROUP BY ALL
),
told AS MATERIALIZED (
    SELECT
        is_repeated, times, scored, variance,
        coalesce(spread, 0) AS spread,
        is_decided_otherwise,
        coalesce(spread > $tolerance * size, false) AS is_scored_otherwise,
        CASE WHEN is_decided_otherwise THEN at_one_decision ELSE at_lowest END AS at_one,
        CASE WHEN is_decided_otherwise THEN at_another ELSE at_highest END AS at_other
    FROM inputs
),
totals AS (
    SELECT
        coalesce(sum(times), 0)::BIGINT AS rows,
        count(*) AS inputs,
        count(*) FILTER (is_repeated) AS repeated,
        coalesce(sum(times) FILTER (is_repeated), 0)::BIGINT AS rows_repeated,
        count(*) FILTER (is_repeated AND (is_decided_otherwise OR is_scored_otherwise)) AS differing,
        count(*) FILTER (is_repeated AND is_decided_otherwise) AS decided_otherwise,
        count(*) FILTER (is_repeated AND is_scored_otherwise) AS scored_otherwise,
        avg(spread) FILTER (is_repeated AND scored > 1) AS mean_range,
        max(spread) FILTER (is_repeated AND scored > 1) AS largest_range,
        sqrt(sum(variance * (scored - 1)) FILTER (is_repeated AND scored > 1) / sum(scored - 1) FILTER (is_repeated AND scored > 1)) AS pooled_sd
    FROM told
),
examples AS (
    SELECT times, spread, at_one, at_other
    FROM told
    WHERE is_repeated AND (is_decided_otherwise OR is_scored_otherwise)
    ORDER BY is_decided_otherwise DESC, spread DESC, at_one
    LIMIT $examples
)
SELECT totals.*, examples.* FROM totals LEFT JOIN examples ON true ORDER BY examples.spread DESC NULLS LAST, examples.at_one
