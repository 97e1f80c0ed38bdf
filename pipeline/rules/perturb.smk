rule perturb:
    input:
        resample=f"{FOLDER}/batches/{{batch}}/resample.parquet",
        ingest=f"{FOLDER}/batches/{{batch}}/ingest.parquet",
        masks=f"{FOLDER}/batches/{{batch}}/masks.parquet",
    output:
        features=f"{FOLDER}/batches/{{batch}}/perturbed.parquet",
        status=f"{FOLDER}/batches/{{batch}}/perturbations.parquet",
    log:
        f"{FOLDER}/log/perturb/{{batch}}.log",
    benchmark:
        f"{FOLDER}/benchmark/perturb/{{batch}}.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        mem_mb=memory(4000),
        runtime=minutes(240),
    params:
        code=code_fingerprint("pipeline.perturb"),
        options=options(config, *read_by("perturb", config)),
        extraction=parameter_file(config["extraction"]["params"]),
        study=f"{FOLDER}/study",
    shell:
        "python -m pipeline.perturb --study {params.study:q} --batch {wildcards.batch}"
        " --resample {input.resample:q} --ingest {input.ingest:q} --masks {input.masks:q}"
        " --out {output.features:q} --status {output.status:q} > {log:q} 2>&1"


rule robustness:
    input:
        features=of_batches("perturbed.parquet"),
        status=of_batches("perturbations.parquet"),
    output:
        table=f"{FOLDER}/tables/robustness.parquet",
        csv=f"{FOLDER}/tables/robustness.csv",
    log:
        f"{FOLDER}/log/robustness/robustness.log",
    benchmark:
        f"{FOLDER}/benchmark/robustness/robustness.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(30),
    params:
        code=code_fingerprint("pipeline.robustness"),
        options=options(config, *read_by("robustness", config)),
        study=f"{FOLDER}/study",
        batches=folder_of_batches,
    shell:
        "python -m pipeline.robustness --study {params.study:q} --batches {params.batches:q}"
        " --out {output.table:q} > {log:q} 2>&1"
