rule learning_curve:
    input:
        analysis=f"{FOLDER}/tables/analysis.parquet",
        info=f"{FOLDER}/tables/analysis.json",
        split=f"{FOLDER}/tables/split.parquet",
        model=f"{FOLDER}/models/{{model}}/model.json",
    output:
        table=f"{FOLDER}/learning_curve/{{model}}.parquet",
        json=f"{FOLDER}/learning_curve/{{model}}.json",
    log:
        f"{FOLDER}/log/learning_curve/{{model}}.log",
    benchmark:
        f"{FOLDER}/benchmark/learning_curve/{{model}}.tsv"
    conda:
        "../../environment.yml"
    threads: cores
    resources:
        mem_mb=memory(4000),
        runtime=minutes(1440),
        gpu=lambda wildcards: gpus(wildcards.model),
        workers=lambda wildcards: workers(wildcards.model),
    params:
        code=code_fingerprint("models.learning_curve"),
        options=lambda wildcards: options(
            config, *read_by("learning_curve", config, wildcards.model)
        ),
        study=f"{FOLDER}/study",
    shell:
        "python -m models.learning_curve --study {params.study:q} --model {wildcards.model}"
        " --analysis {input.analysis:q} --info {input.info:q} --split {input.split:q}"
        " --model-json {input.model:q} --workers {resources.workers}"
        " --out {output.table:q} --json {output.json:q} > {log:q} 2>&1"
