rule evaluate:
    input:
        predictions=of_models("predictions.parquet"),
        models=of_models("model.json"),
    output:
        EVALUATION,
    log:
        f"{FOLDER}/log/evaluate/evaluate.log",
    benchmark:
        f"{FOLDER}/benchmark/evaluate/evaluate.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        code=code_fingerprint("models.evaluate"),
        options=options(config, "seed", "mode", "evaluation"),
        study=f"{FOLDER}/study",
        folder=lambda wildcards, output: Path(output[0]).parent,
    shell:
        "python -m models.evaluate --study {params.study:q}"
        " --predictions {input.predictions:q} --models {input.models:q}"
        " --out-dir {params.folder:q} > {log:q} 2>&1"
