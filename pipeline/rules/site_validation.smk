rule site_validation:
    input:
        analysis=f"{FOLDER}/tables/analysis.parquet",
        info=f"{FOLDER}/tables/analysis.json",
        split=f"{FOLDER}/tables/split.parquet",
    output:
        json=f"{FOLDER}/site_validation/site_validation.json",
        tables=[
            f"{FOLDER}/site_validation/{name}.{ending}"
            for name in ["outcome", "left_out", "pooled", "harmonised", "features"]
            for ending in ["parquet", "csv"]
        ],
    log:
        f"{FOLDER}/log/site_validation/site_validation.log",
    benchmark:
        f"{FOLDER}/benchmark/site_validation/site_validation.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"] * min((workers(model) for model in BY_SITE), default=1)
    resources:
        mem_mb=memory(4000),
        runtime=minutes(1440),
        gpu=max((gpus(model) for model in BY_SITE), default=0),
        workers=min((workers(model) for model in BY_SITE), default=1),
    params:
        code=code_fingerprint("models.site_validation"),
        options=options(config, *read_by("site_validation", config)),
        site=rows_hash(study.dictionary, ["column", "role"]),
        study=f"{FOLDER}/study",
        folder=lambda wildcards, output: Path(output.json).parent,
    shell:
        "python -m models.site_validation --study {params.study:q} --analysis {input.analysis:q}"
        " --info {input.info:q} --split {input.split:q} --workers {resources.workers}"
        " --out-dir {params.folder:q} > {log:q} 2>&1"
