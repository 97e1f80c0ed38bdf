rule train:
    input:
        analysis=f"{FOLDER}/tables/analysis.parquet",
        info=f"{FOLDER}/tables/analysis.json",
        split=f"{FOLDER}/tables/split.parquet",
    output:
        predictions=f"{FOLDER}/models/{{model}}/predictions.parquet",
        model=f"{FOLDER}/models/{{model}}/model.json",
        search=f"{FOLDER}/models/{{model}}/search.parquet",
        importance=f"{FOLDER}/models/{{model}}/importance.parquet",
    log:
        f"{FOLDER}/log/train/{{model}}.log",
    benchmark:
        f"{FOLDER}/benchmark/train/{{model}}.tsv"
    conda:
        "../../environment.yml"
    threads: cores
    resources:
        mem_mb=memory(3500 + 500 * WORKERS),
        runtime=minutes(720),
        gpu=lambda wildcards: gpus(wildcards.model),
        workers=lambda wildcards: workers(wildcards.model),
    params:
        code=code_fingerprint("models.train"),
        options=lambda wildcards: options(
            config, *read_by("train", config, wildcards.model)
        ),
        study=f"{FOLDER}/study",
        folder=f"{FOLDER}/models/{{model}}",
    shell:
        "python -m models.train --study {params.study:q} --model {wildcards.model}"
        " --analysis {input.analysis:q} --info {input.info:q} --split {input.split:q}"
        " --out-dir {params.folder:q} --workers {resources.workers} > {log:q} 2>&1"
