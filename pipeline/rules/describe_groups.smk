rule describe_groups:
    output:
        out=f"{FOLDER}/outcomes/groups.parquet",
        cells=f"{FOLDER}/outcomes/cells.parquet",
        effects=f"{FOLDER}/outcomes/effects.parquet",
        info=f"{FOLDER}/outcomes/groups.json",
        csv=f"{FOLDER}/outcomes/groups.csv",
        cells_csv=f"{FOLDER}/outcomes/cells.csv",
        effects_csv=f"{FOLDER}/outcomes/effects.csv",
    log:
        f"{FOLDER}/log/describe_groups/describe_groups.log",
    benchmark:
        f"{FOLDER}/benchmark/describe_groups/describe_groups.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        code=code_fingerprint("pipeline.describe_groups"),
        options=options(config, *read_by("describe_groups", config)),
        rows=ROWS_TO_JOIN,
        study=f"{FOLDER}/study",
    shell:
        "python -m pipeline.describe_groups --study {params.study:q} --out {output.out:q}"
        " --cells {output.cells:q} --effects {output.effects:q} --info {output.info:q}"
        " > {log:q} 2>&1"
