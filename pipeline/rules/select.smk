rule select:
    input:
        analysis=f"{FOLDER}/tables/analysis.parquet",
        info=f"{FOLDER}/tables/analysis.json",
        split=f"{FOLDER}/tables/split.parquet",
    output:
        table=f"{FOLDER}/tables/selection.parquet",
        json=f"{FOLDER}/tables/selection.json",
        signature=[f"{FOLDER}/tables/{name}.parquet" for name in SIGNATURE],
    log:
        f"{FOLDER}/log/select/select.log",
    benchmark:
        f"{FOLDER}/benchmark/select/select.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        mem_mb=memory(2000),
        runtime=minutes(60),
    params:
        code=code_fingerprint("models.selection"),
        options=options(config, *read_by("select", config)),
        study=f"{FOLDER}/study",
    shell:
        "python -m models.selection --study {params.study:q} --analysis {input.analysis:q}"
        " --info {input.info:q} --split {input.split:q}"
        " --out {output.table:q} --json {output.json:q} > {log:q} 2>&1"
