rule ablate:
    input:
        **JUDGED_BY_NESTED,
        analysis=f"{FOLDER}/tables/analysis.parquet",
        info=f"{FOLDER}/tables/analysis.json",
        split=f"{FOLDER}/tables/split.parquet",
        model=f"{FOLDER}/models/{{model}}/model.json",
        importance=f"{FOLDER}/models/{{model}}/importance.parquet",
    output:
        table=f"{FOLDER}/ablation/{{model}}.parquet",
        seeds=f"{FOLDER}/ablation/{{model}}_seeds.parquet",
        json=f"{FOLDER}/ablation/{{model}}.json",
    log:
        f"{FOLDER}/log/ablate/{{model}}.log",
    benchmark:
        f"{FOLDER}/benchmark/ablate/{{model}}.tsv"
    # The longest of the last jobs: the others run beside it.
    priority: 1
    conda:
        "../../environment.yml"
    threads: cores
    resources:
        mem_mb=memory(4000),
        runtime=minutes(720),
        gpu=lambda wildcards: gpus(wildcards.model),
        workers=lambda wildcards: workers(wildcards.model),
    params:
        code=code_fingerprint("models.ablate"),
        options=lambda wildcards: options(
            config, *read_by("ablate", config, wildcards.model)
        ),
        study=f"{FOLDER}/study",
        nested=lambda wildcards, input: nested_arguments(input),
        folder=lambda wildcards, output: Path(output.table).parent.as_posix(),
    shell:
        "python -m models.ablate --study {params.study:q} --model {wildcards.model}"
        " --analysis {input.analysis:q} --info {input.info:q} --split {input.split:q}"
        " --model-json {input.model:q} {params.nested} --importance {input.importance:q}"
        " --workers {resources.workers} --out-dir {params.folder:q} > {log:q} 2>&1"
