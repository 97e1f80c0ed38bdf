rule oversampled_split:
    input:
        analysis=f"{FOLDER}/tables/analysis.parquet",
        info=f"{FOLDER}/tables/analysis.json",
        split=f"{FOLDER}/tables/split.parquet",
    output:
        table=f"{FOLDER}/oversampled_split/orders.parquet",
        csv=f"{FOLDER}/oversampled_split/orders.csv",
        json=f"{FOLDER}/oversampled_split/orders.json",
    log:
        f"{FOLDER}/log/oversampled_split/oversampled_split.log",
    benchmark:
        f"{FOLDER}/benchmark/oversampled_split/oversampled_split.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        mem_mb=memory(2000),
        runtime=minutes(120),
    params:
        code=code_fingerprint("models.oversampled_split"),
        options=options(config, *read_by("oversampled_split", config)),
        study=f"{FOLDER}/study",
    shell:
        "python -m models.oversampled_split --study {params.study:q} --analysis {input.analysis:q}"
        " --info {input.info:q} --split {input.split:q} --out {output.table:q}"
        " --json {output.json:q} > {log:q} 2>&1"
