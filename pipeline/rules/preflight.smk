rule preflight_batch:
    input:
        ingest=f"{FOLDER}/batches/{{batch}}/ingest.parquet",
        masks=f"{FOLDER}/batches/{{batch}}/masks.parquet",
    output:
        f"{FOLDER}/batches/{{batch}}/preflight.parquet",
    log:
        f"{FOLDER}/log/preflight_batch/{{batch}}.log",
    benchmark:
        f"{FOLDER}/benchmark/preflight_batch/{{batch}}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        code=code_fingerprint("pipeline.preflight"),
        options=options(config, *read_by("preflight_batch", config)),
        rows=rows_of_batch("case_id", "reader", "image", "mask", "days_from_surgery"),
        treated=treated_levels_of_batch,
        study=f"{FOLDER}/study",
    shell:
        "python -m pipeline.preflight --study {params.study:q} --batch {wildcards.batch}"
        " --ingest {input.ingest:q} --masks {input.masks:q} --out {output:q} > {log:q} 2>&1"


rule preflight_study:
    input:
        parts=of_batches("preflight.parquet"),
        ingest=f"{FOLDER}/tables/ingest.parquet",
        masks=f"{FOLDER}/tables/masks.parquet",
    output:
        table=f"{FOLDER}/tables/preflight.parquet",
        csv=report(
            f"{FOLDER}/tables/preflight.csv",
            caption="captions/preflight.rst",
            category="Checks of images and masks",
            labels={"table": "verdicts"},
        ),
    log:
        f"{FOLDER}/log/preflight_study/preflight_study.log",
    benchmark:
        f"{FOLDER}/benchmark/preflight_study/preflight_study.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        code=code_fingerprint("pipeline.preflight"),
        study=f"{FOLDER}/study",
        batches=folder_of_batches,
    shell:
        "python -m pipeline.preflight --study {params.study:q} --gather {params.batches:q}"
        " --ingest {input.ingest:q} --masks {input.masks:q} --out {output.table:q} > {log:q} 2>&1"


rule preflight_pages:
    input:
        table=f"{FOLDER}/tables/preflight.parquet",
        masks=f"{FOLDER}/tables/masks.parquet",
        pictures=of_batches("pictures"),
    output:
        directory(f"{FOLDER}/report/preflight"),
    log:
        f"{FOLDER}/log/preflight_pages/preflight_pages.log",
    benchmark:
        f"{FOLDER}/benchmark/preflight_pages/preflight_pages.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        code=code_fingerprint("pipeline.preflight_pages"),
        templates=files_fingerprint(
            Path(PACKAGE, "pipeline/checks/templates").iterdir()
        ),
        options=options(config, *read_by("preflight_pages", config)),
        study=f"{FOLDER}/study",
        batches=folder_of_batches,
    shell:
        "python -m pipeline.preflight_pages --study {params.study:q} --table {input.table:q}"
        " --masks {input.masks:q} --batches {params.batches:q} --out {output:q} > {log:q} 2>&1"


# Judged apart, since Snakemake deletes what a failed job wrote, and the pages must stay.
rule gate:
    input:
        table=f"{FOLDER}/tables/preflight.parquet",
        pages=f"{FOLDER}/report/preflight",
    output:
        f"{FOLDER}/tables/gate.json",
    log:
        f"{FOLDER}/log/gate/gate.log",
    benchmark:
        f"{FOLDER}/benchmark/gate/gate.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        code=code_fingerprint("pipeline.preflight"),
        options=options(config, *read_by("gate", config)),
        study=f"{FOLDER}/study",
    shell:
        "python -m pipeline.preflight --study {params.study:q} --check {input.table:q}"
        " --out {output:q} > {log:q} 2>&1"
