if HAS_IMAGES:

    rule gather:
        input:
            of_batches("{table}.parquet"),
        output:
            table=f"{FOLDER}/tables/{{table}}.parquet",
            csv=f"{FOLDER}/tables/{{table}}.csv",
        log:
            f"{FOLDER}/log/gather/{{table}}.log",
        benchmark:
            f"{FOLDER}/benchmark/gather/{{table}}.tsv"
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=memory(2000),
            runtime=minutes(10),
        params:
            code=code_fingerprint("pipeline.gather"),
            study=f"{FOLDER}/study",
            batches=folder_of_batches,
        shell:
            "python -m pipeline.gather --study {params.study:q} --batches {params.batches:q}"
            " --out {output.table:q} > {log:q} 2>&1"

else:

    rule gather_ready:
        input:
            feature_files(HANDED_IN),
        output:
            table=FEATURES,
            csv=f"{FOLDER}/tables/features.csv",
        log:
            f"{FOLDER}/log/gather/features.log",
        benchmark:
            f"{FOLDER}/benchmark/gather/features.tsv"
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=memory(2000),
            runtime=minutes(10),
        params:
            code=code_fingerprint("pipeline.gather"),
            options=options(config, *read_by("gather_ready", config)),
            clinical=rows_hash(study.dictionary, ["column"]),
            study=f"{FOLDER}/study",
        shell:
            "python -m pipeline.gather --study {params.study:q} --out {output.table:q}"
            " > {log:q} 2>&1"
