# Negative controls, only where `controls.kinds` asks for them: every mask extracted again for each kind
# and draw, laid out as the analysis table, and fitted beside the true features.
if HAS_IMAGES:

    rule control_features:
        input:
            extraction=f"{FOLDER}/batches/{{batch}}/extraction.parquet",
            ingest=f"{FOLDER}/batches/{{batch}}/ingest.parquet",
            masks=f"{FOLDER}/batches/{{batch}}/masks.parquet",
        output:
            f"{FOLDER}/batches/{{batch}}/control_features.parquet",
        log:
            f"{FOLDER}/log/control_features/{{batch}}.log",
        benchmark:
            f"{FOLDER}/benchmark/control_features/{{batch}}.tsv"
        conda:
            "../../environment.yml"
        threads: config["threads"]
        resources:
            mem_mb=memory(4000),
            runtime=minutes(480),
        params:
            code=code_fingerprint("pipeline.control_features"),
            options=options(config, *read_by("control_features", config)),
            extraction=parameter_file(config["extraction"]["params"]),
            study=f"{FOLDER}/study",
        shell:
            "python -m pipeline.control_features --study {params.study:q} --batch {wildcards.batch}"
            " --extraction {input.extraction:q} --ingest {input.ingest:q} --masks {input.masks:q}"
            " --out {output:q} > {log:q} 2>&1"

    rule control_rows:
        input:
            of_batches("control_features.parquet"),
            preflight=f"{FOLDER}/tables/preflight.parquet",
            extraction=f"{FOLDER}/tables/extraction.parquet",
            features=FEATURES,
            analysis=f"{FOLDER}/tables/analysis.parquet",
        output:
            f"{FOLDER}/tables/control_rows.parquet",
        log:
            f"{FOLDER}/log/control_rows/control_rows.log",
        benchmark:
            f"{FOLDER}/benchmark/control_rows/control_rows.tsv"
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=memory(4000),
            runtime=minutes(30),
        params:
            code=code_fingerprint("pipeline.control_rows"),
            options=options(config, *read_by("control_rows", config)),
            rows=ROWS_TO_JOIN,
            study=f"{FOLDER}/study",
            batches=folder_of_batches,
        shell:
            "python -m pipeline.control_rows --study {params.study:q} --batches {params.batches:q}"
            " --preflight {input.preflight:q} --extraction {input.extraction:q}"
            " --features {input.features:q} --analysis {input.analysis:q} --out {output:q}"
            " > {log:q} 2>&1"

    rule controls:
        input:
            analysis=f"{FOLDER}/tables/analysis.parquet",
            info=f"{FOLDER}/tables/analysis.json",
            split=f"{FOLDER}/tables/split.parquet",
            rows=f"{FOLDER}/tables/control_rows.parquet",
            masks=f"{FOLDER}/tables/masks.parquet",
            models=of_models("model.json"),
            winner=f"{FOLDER}/evaluation/winner.json",
        output:
            table=f"{FOLDER}/evaluation/controls.parquet",
            facts=f"{FOLDER}/evaluation/controls.json",
        log:
            f"{FOLDER}/log/controls/controls.log",
        benchmark:
            f"{FOLDER}/benchmark/controls/controls.tsv"
        conda:
            "../../environment.yml"
        threads: config["threads"] * min(workers(model) for model in JUDGED_MODELS)
        resources:
            mem_mb=memory(8000),
            runtime=minutes(1440),
            gpu=max(gpus(model) for model in JUDGED_MODELS),
            workers=min(workers(model) for model in JUDGED_MODELS),
        params:
            code=code_fingerprint("models.negative_controls"),
            options=options(config, *read_by("controls", config)),
            study=f"{FOLDER}/study",
            folder=lambda wildcards, output: Path(output[0]).parent,
        shell:
            "python -m models.negative_controls --study {params.study:q} --analysis {input.analysis:q}"
            " --info {input.info:q} --split {input.split:q} --rows {input.rows:q}"
            " --masks {input.masks:q} --models {input.models:q} --winner {input.winner:q}"
            " --workers {resources.workers} --out-dir {params.folder:q} > {log:q} 2>&1"
