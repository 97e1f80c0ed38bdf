"""One study, from DICOM series and readers' masks to the report: snakemake --configfile <study>.yaml

Rules only route files (docs/files.md names them); what a stage does stands in its module.
"""

from snakemake.utils import min_version

min_version("9.0")


report: "pipeline/rules/captions/workflow.rst"


include: "pipeline/rules/package.smk"
include: "pipeline/rules/common.smk"


rule all:
    default_target: True
    input:
        f"{FOLDER}/report/report.html",


rule preflight:
    input:
        preflight_targets,


rule features:
    input:
        feature_targets,


rule readers:
    input:
        reader_targets,


rule models:
    input:
        model_targets,


rule report:
    input:
        rules.all.input,


if HAS_IMAGES:

    include: "pipeline/rules/ingest.smk"
    include: "pipeline/rules/masks.smk"
    include: "pipeline/rules/preflight.smk"
    include: "pipeline/rules/readers.smk"
    include: "pipeline/rules/resample.smk"
    include: "pipeline/rules/extract.smk"
    include: "pipeline/rules/verification.smk"


if PERTURBS:

    include: "pipeline/rules/perturb.smk"


if HAS_FEATURES:

    include: "pipeline/rules/gather.smk"
    include: "pipeline/rules/reproducibility.smk"


include: "pipeline/rules/join.smk"


if EXAMPLES:

    include: "pipeline/rules/example_images.smk"


for analysis in RUNNING:
    for rules_of_analysis in analysis.rules:

        include: f"pipeline/rules/{rules_of_analysis}.smk"


include: "pipeline/rules/report.smk"
include: "pipeline/rules/paper.smk"
