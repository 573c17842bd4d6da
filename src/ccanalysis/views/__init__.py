"""What reports show: results in, typed tables, notes and charts out. Notebooks call these and hold no logic.

Each function takes the results that the notebook opened (a slice, in a scheduled run) and returns one thing to show.
"""

from ccanalysis.views.common import kpis_at, open_question, open_report, who
from ccanalysis.views.data import (
    data_lead,
    intake_table,
    not_assessed_table,
    notes_list,
    quarantine_table,
    ratings_table,
    rows_at_fault,
    rule_history,
    rules_count,
    rules_table,
)
from ccanalysis.views.definitions import definition_changes_note, sensitivity_table, what_the_definition_decides
from ccanalysis.views.drivers import change_waterfall, driver_table, drivers_note, gap_pareto
from ccanalysis.views.found import comparisons, findings_note, to_do
from ccanalysis.views.overrides import overrides_note
from ccanalysis.views.peers import comparison, funnel, small_multiples, worth_a_look
from ccanalysis.views.people import actions_note, actions_table, activities_table
from ccanalysis.views.questions import headline, question_lead, trust_note, window_note
from ccanalysis.views.revisions import revised_table, revision_note
from ccanalysis.views.standing import (
    cards,
    changes_note,
    course,
    courses,
    definitions_table,
    lead,
    verdict_table,
)
from ccanalysis.views.suitability import suitability_table

__all__ = [
    "actions_note",
    "actions_table",
    "activities_table",
    "cards",
    "change_waterfall",
    "changes_note",
    "comparison",
    "comparisons",
    "course",
    "courses",
    "data_lead",
    "definition_changes_note",
    "definitions_table",
    "driver_table",
    "drivers_note",
    "findings_note",
    "funnel",
    "gap_pareto",
    "headline",
    "intake_table",
    "kpis_at",
    "lead",
    "not_assessed_table",
    "notes_list",
    "open_question",
    "open_report",
    "overrides_note",
    "quarantine_table",
    "question_lead",
    "ratings_table",
    "revised_table",
    "revision_note",
    "rows_at_fault",
    "rule_history",
    "rules_count",
    "rules_table",
    "sensitivity_table",
    "small_multiples",
    "suitability_table",
    "to_do",
    "trust_note",
    "verdict_table",
    "what_the_definition_decides",
    "who",
    "window_note",
    "worth_a_look",
]
