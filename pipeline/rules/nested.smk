rule nested:
    input:
        analysis=f"{FOLDER}/tables/analysis.parquet",
        info=f"{FOLDER}/tables/analysis.json",
        split=f"{FOLDER}/tables/split.parquet",
        model=(
            f"{FOLDER}/models/{{model}}/model.json"
            if config["nested"]["search"] == "fixed"
            else []
        ),
    output:
        table=f"{FOLDER}/nested/{{model}}.parquet",
        predictions=f"{FOLDER}/nested/{{model}}_predictions.parquet",
        json=f"{FOLDER}/nested/{{model}}.json",
    log:
        f"{FOLDER}/log/nested/{{model}}.log",
    benchmark:
        f"{FOLDER}/benchmark/nested/{{model}}.tsv"
    conda:
        "../../environment.yml"
    threads: cores
    resources:
        mem_mb=memory(4000),
        runtime=minutes(1440),
        gpu=lambda wildcards: gpus(wildcards.model),
        workers=lambda wildcards: workers(wildcards.model),
    params:
        code=code_fingerprint("models.nested"),
        options=lambda wildcards: options(
            config, *read_by("nested", config, wildcards.model)
        ),
        study=f"{FOLDER}/study",
        fixed=lambda wildcards, input: (
            f"--model-json {quote(str(input.model))}" if input.model else ""
        ),
    shell:
        "python -m models.nested --study {params.study:q} --model {wildcards.model}"
        " --analysis {input.analysis:q} --info {input.info:q} --split {input.split:q}"
        " {params.fixed} --workers {resources.workers}"
        " --out {output.table:q} --predictions {output.predictions:q}"
        " --json {output.json:q} > {log:q} 2>&1"
