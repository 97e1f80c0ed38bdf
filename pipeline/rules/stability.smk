rule stability:
    input:
        analysis=f"{FOLDER}/tables/analysis.parquet",
        info=f"{FOLDER}/tables/analysis.json",
        split=f"{FOLDER}/tables/split.parquet",
    output:
        table=f"{FOLDER}/tables/stability.parquet",
        json=f"{FOLDER}/tables/stability.json",
    log:
        f"{FOLDER}/log/stability/stability.log",
    benchmark:
        f"{FOLDER}/benchmark/stability/stability.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"] * WORKERS
    resources:
        mem_mb=memory(2000),
        runtime=minutes(240),
        workers=WORKERS,
    params:
        code=code_fingerprint("models.stability"),
        options=options(config, *read_by("stability", config)),
        study=f"{FOLDER}/study",
    shell:
        "python -m models.stability --study {params.study:q} --analysis {input.analysis:q}"
        " --info {input.info:q} --split {input.split:q} --workers {resources.workers}"
        " --out {output.table:q} --json {output.json:q} > {log:q} 2>&1"
