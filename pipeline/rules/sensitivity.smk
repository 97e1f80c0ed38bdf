rule sensitivity:
    input:
        **JUDGED_BY_NESTED,
        analysis=f"{FOLDER}/tables/analysis.parquet",
        info=f"{FOLDER}/tables/analysis.json",
        split=f"{FOLDER}/tables/split.parquet",
        model=f"{FOLDER}/models/{{model}}/model.json",
    output:
        f"{FOLDER}/sensitivity/{{model}}.parquet",
    log:
        f"{FOLDER}/log/sensitivity/{{model}}.log",
    benchmark:
        f"{FOLDER}/benchmark/sensitivity/{{model}}.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        mem_mb=memory(4000),
        runtime=minutes(120),
        gpu=lambda wildcards: gpus(wildcards.model),
    params:
        code=code_fingerprint("models.sensitivity"),
        options=lambda wildcards: options(
            config, *read_by("sensitivity", config, wildcards.model)
        ),
        study=f"{FOLDER}/study",
        nested=lambda wildcards, input: nested_arguments(input),
    shell:
        "python -m models.sensitivity --study {params.study:q} --model {wildcards.model}"
        " --analysis {input.analysis:q} --info {input.info:q} --split {input.split:q}"
        " --model-json {input.model:q} {params.nested} --out {output:q} > {log:q} 2>&1"


rule missingness:
    input:
        analysis=f"{FOLDER}/tables/analysis.parquet",
        info=f"{FOLDER}/tables/analysis.json",
        split=f"{FOLDER}/tables/split.parquet",
    output:
        f"{FOLDER}/tables/missingness.parquet",
    log:
        f"{FOLDER}/log/missingness/missingness.log",
    benchmark:
        f"{FOLDER}/benchmark/missingness/missingness.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(10),
    params:
        code=code_fingerprint("models.missingness"),
    shell:
        "python -m models.missingness --analysis {input.analysis:q} --info {input.info:q}"
        " --split {input.split:q} --out {output:q} > {log:q} 2>&1"
