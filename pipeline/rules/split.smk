rule split:
    input:
        analysis=f"{FOLDER}/tables/analysis.parquet",
        info=f"{FOLDER}/tables/analysis.json",
    output:
        f"{FOLDER}/tables/split.parquet",
    log:
        f"{FOLDER}/log/split/split.log",
    benchmark:
        f"{FOLDER}/benchmark/split/split.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(10),
    params:
        code=code_fingerprint("models.split"),
        options=options(config, *read_by("split", config)),
        study=f"{FOLDER}/study",
    shell:
        "python -m models.split --study {params.study:q} --analysis {input.analysis:q}"
        " --info {input.info:q} --out {output:q} > {log:q} 2>&1"
