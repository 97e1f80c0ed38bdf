"""The page that says, file by file, what must be mended before anything slow runs."""

from __future__ import annotations

from collections.abc import Sequence

import jinja2

_TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Preflight: {{ study }}</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; color: #1b1f24; margin: 2rem auto; padding: 0 1rem;
    max-width: 76rem; }
  h1 { font-size: 1.5rem; margin-bottom: .25rem; }
  table { border-collapse: collapse; width: 100%; margin-top: 1.25rem; }
  th, td { text-align: left; vertical-align: top; padding: .45rem .6rem;
    border-bottom: 1px solid #d6dbe1; }
  th { border-bottom: 2px solid #8a939e; white-space: nowrap; }
  td.file { min-width: 15rem; overflow-wrap: anywhere; font-family: ui-monospace, monospace;
    font-size: .85em; }
  .case { white-space: nowrap; }
  .verdict { white-space: nowrap; font-weight: 600; }
  .error { color: #a40e26; } .warning { color: #7d4e00; } .ok { color: #1a6334; }
  .remedy { color: #444c56; }
  @media print { body { margin: 0; max-width: none; } tr { break-inside: avoid; } }
</style>
</head>
<body>
<h1>Preflight of {{ study }}</h1>
<p>Of {{ rows | length }} masks {{ counts.error }} with errors, {{ counts.warning }} with warnings,
{{ counts.ok }} without a finding.
{{ "The study stops until the errors are mended (on_bad_case: stop)." if stops
   else "Masks with errors are left out, and the report names them (on_bad_case: exclude)." }}</p>
<table>
<thead><tr><th scope="col">Verdict</th><th scope="col">Case</th><th scope="col">Level</th>
<th scope="col">Reader</th><th scope="col">File</th><th scope="col">Finding</th>
<th scope="col">What to do</th></tr></thead>
<tbody>
{% for row in rows %}{% set lines = row.findings or [none] %}{% for finding in lines %}
<tr>
{% if loop.first %}<td rowspan="{{ lines | length }}" class="verdict {{ row.verdict }}">
{{ row.verdict }}</td>
<td rowspan="{{ lines | length }}" class="case">{{ row.case_id }}</td>
<td rowspan="{{ lines | length }}">{{ row.level }}</td>
<td rowspan="{{ lines | length }}">{{ row.reader }}</td>{% endif %}
{% if finding %}<td class="file">{{ finding.file }}</td><td class="{{ finding.severity }}">
{{ finding.message }}</td><td class="remedy">{{ finding.remedy }}</td>
{% else %}<td class="file">{{ row.mask_file }}</td><td>none</td><td></td>{% endif %}
</tr>{% endfor %}{% endfor %}
</tbody>
</table>
</body>
</html>
"""


def preflight_page(study: str, rows: Sequence[dict], counts: dict[str, int], stops: bool) -> str:
    """Return the page as one self-contained HTML text.

    Parameters
    ----------
    study : str
        Name of the study.
    rows : sequence of dict
        One per mask, what must be mended first: ``verdict, case_id, level, reader, mask_file,
        findings``; each finding a dict with ``file, severity, message, remedy``.
    counts : dict
        Number of masks by verdict: ``error``, ``warning``, ``ok``.
    stops : bool
        Whether errors stop the study.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return environment.from_string(_TEMPLATE).render(
        study=study, rows=rows, counts=counts, stops=stops
    )
