rule added_value:
    input:
        analysis=f"{FOLDER}/tables/analysis.parquet",
        info=f"{FOLDER}/tables/analysis.json",
        split=f"{FOLDER}/tables/split.parquet",
        models=of_models("model.json"),
        predictions=of_models("predictions.parquet"),
        winner=f"{FOLDER}/evaluation/winner.json",
    output:
        [
            f"{FOLDER}/evaluation/{name}"
            for name in [
                "added_value.parquet",
                "added_value_differences.parquet",
                "added_value.json",
            ]
        ],
    log:
        f"{FOLDER}/log/added_value/added_value.log",
    benchmark:
        f"{FOLDER}/benchmark/added_value/added_value.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"] * min(workers(model) for model in JUDGED_MODELS)
    resources:
        mem_mb=memory(4000),
        runtime=minutes(1440),
        gpu=max(gpus(model) for model in JUDGED_MODELS),
        workers=min(workers(model) for model in JUDGED_MODELS),
    params:
        code=code_fingerprint("models.added_value"),
        options=options(config, *read_by("added_value", config)),
        study=f"{FOLDER}/study",
        folder=lambda wildcards, output: Path(output[0]).parent,
    shell:
        "python -m models.added_value --study {params.study:q} --analysis {input.analysis:q}"
        " --info {input.info:q} --split {input.split:q} --models {input.models:q}"
        " --predictions {input.predictions:q} --winner {input.winner:q}"
        " --workers {resources.workers} --out-dir {params.folder:q} > {log:q} 2>&1"
