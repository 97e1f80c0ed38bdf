# Chosen from what training wrote of its folds, before `evaluate` opens what judges the models.
rule winner:
    input:
        models=of_models("model.json"),
        nested=(
            []
            if HAS_TEST_ROWS
            else [f"{FOLDER}/nested/{model}.json" for model in NESTED]
        ),
    output:
        f"{FOLDER}/evaluation/winner.json",
    log:
        f"{FOLDER}/log/winner/winner.log",
    benchmark:
        f"{FOLDER}/benchmark/winner/winner.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(500),
        runtime=minutes(10),
    params:
        code=code_fingerprint("models.winner"),
        options=options(config, *read_by("winner", config)),
        study=f"{FOLDER}/study",
        nested=lambda wildcards, input: nested_files(input.nested),
    shell:
        "python -m models.winner --study {params.study:q} --models {input.models:q}"
        " {params.nested} --out {output:q} > {log:q} 2>&1"


rule evaluate:
    input:
        **ACQUIRED,
        predictions=of_models("predictions.parquet"),
        models=of_models("model.json"),
        winner=f"{FOLDER}/evaluation/winner.json",
        analysis=f"{FOLDER}/tables/analysis.parquet",
        split=f"{FOLDER}/tables/split.parquet",
        nested=(
            []
            if HAS_TEST_ROWS
            else [f"{FOLDER}/nested/{model}_predictions.parquet" for model in NESTED]
        ),
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
        runtime=minutes(60),
    params:
        code=code_fingerprint("models.evaluate"),
        options=options(config, *read_by("evaluate", config)),
        study=f"{FOLDER}/study",
        folder=lambda wildcards, output: Path(output[0]).parent,
        nested=lambda wildcards, input: nested_files(input.nested),
        ingest=lambda wildcards, input: (
            f"--ingest {quote(str(input.ingest))}" if HAS_IMAGES else ""
        ),
    shell:
        "python -m models.evaluate --study {params.study:q}"
        " --predictions {input.predictions:q} --models {input.models:q}"
        " --winner {input.winner:q} {params.nested} --analysis {input.analysis:q}"
        " --split {input.split:q} {params.ingest} --out-dir {params.folder:q}"
        " > {log:q} 2>&1"


rule sample_size:
    input:
        analysis=f"{FOLDER}/tables/analysis.parquet",
        info=f"{FOLDER}/tables/analysis.json",
        split=f"{FOLDER}/tables/split.parquet",
        models=of_models("model.json"),
    output:
        f"{FOLDER}/evaluation/sample_size.json",
    log:
        f"{FOLDER}/log/sample_size/sample_size.log",
    benchmark:
        f"{FOLDER}/benchmark/sample_size/sample_size.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        code=code_fingerprint("models.sample_size"),
        options=options(config, *read_by("sample_size", config)),
        study=f"{FOLDER}/study",
    shell:
        "python -m models.sample_size --study {params.study:q} --analysis {input.analysis:q}"
        " --info {input.info:q} --split {input.split:q} --models {input.models:q}"
        " --out {output:q} > {log:q} 2>&1"
