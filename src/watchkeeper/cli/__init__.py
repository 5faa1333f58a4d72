"""The command line: the same verbs that the flows run, by hand.

Belongs here: the table of contents, one line a verb. Does not: what verbs share (frame.py, output.py), nor what they do
(operations/). A verb's module is imported when the verb is called; `--help` reads this table alone.
"""

from watchkeeper.cli.frame import Verb, new_app

VERBS = (
    Verb("init", "setup", "Make a workspace."),
    Verb("add", "setup", "Draft a monitor and its suites from data files."),
    Verb("check", "setup", "Check all monitors and suites."),
    Verb("ingest", "intake", "Take in files, exactly once."),
    Verb("validate", "validation", "Tell what would fail, and land nothing."),
    Verb("quarantine", "intake", "See, let in or give up what was set aside."),
    Verb("run", "watch", "Bring everything due up to date."),
    Verb("backfill", "backfill", "Bring all that is past up to date in one go."),
    Verb("status", "look", "Show how every model stands."),
    Verb("scores", "watch", "List what was measured."),
    Verb("incidents", "watch", "List what is wrong, and why."),
    Verb("ack", "care", "Say that you look after an incident."),
    Verb("silence", "care", "Ask not to be told of something until a moment."),
    Verb("resolve", "care", "Close an incident by hand."),
    Verb("rebaseline", "rebaseline", "Say that some days are the new normal."),
    Verb("rehearse", "rehearse", "Try an edited monitor on the past."),
    Verb("limits", "limits", "Tell what change of each number would be noticed."),
    Verb("change", "change", "Record a release, or another change to a model."),
    Verb("versions", "versions", "List the versions of a model, or compare two."),
    Verb("digest", "watch", "Show what a stakeholder reads in a minute."),
    Verb("explain", "explain", "Tell all that is known of one prediction."),
    Verb("sample", "explain", "List predictions worth reading."),
    Verb("segments", "segments", "Take a KPI's change apart by segments."),
    Verb("slices", "slices", "Find where a model fails most."),
    Verb("consistency", "consistency", "Tell whether the same input comes out the same."),
    Verb("fairness", "fairness", "Audit how groups of people are treated."),
    Verb("look", "look", "Make a report of one window against the reference."),
    Verb("costs", "gpus", "Show GPU-hours and what they cost."),
    Verb("advise", "advise", "Tell what could be saved, and what is risked."),
    Verb("sql", "look", "Ask the lake a question in SQL."),
    Verb("sample-gpus", "sampling", "Sample this host's GPUs into the lake."),
    Verb("take-telemetry", "telemetry", "Take in traces and metrics of others."),
    Verb("export", "telemetry", "Give scores and incidents as metrics."),
    Verb("demo", "demo", "Watch a model of flight delays through a year."),
    Verb("up", "server", "Start Prefect, a worker, all schedules and the pages."),
    Verb("deploy", "server", "Deploy the flows to a Prefect server you have."),
    Verb("copy-lake", "storage", "Copy the lake with its history to another address."),
    Verb("doctor", "setup", "Look at everything around the models that must work."),
)

app = new_app(VERBS)
