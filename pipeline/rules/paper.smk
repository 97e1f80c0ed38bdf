# The draft of a paper, only where it is asked for (`snakemake paper`): a minute of drawing.
rule paper:
    input:
        report_inputs,
    output:
        directory(f"{FOLDER}/paper"),
    log:
        f"{FOLDER}/log/paper/paper.log",
    benchmark:
        f"{FOLDER}/benchmark/paper/paper.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        code=code_fingerprint("pipeline.reporting.paper.draft"),
        data=files_fingerprint(
            [
                *Path(PACKAGE, "pipeline/reporting/checklists").iterdir(),
                Path(PACKAGE, "pipeline/reporting/paper/references.yaml"),
                Path(PACKAGE, "pipeline/study/model_families.py"),
                Path(PACKAGE, "pipeline/study/metric_registry.py"),
                Path(PACKAGE, "radiomics_params/ibsi_map.csv"),
            ]
        ),
        config=options(config),
        rows=ROWS_TO_JOIN,
        study=f"{FOLDER}/study",
    shell:
        "python -m pipeline.reporting.paper.draft --study {params.study:q}"
        " --out {output:q} > {log:q} 2>&1"
