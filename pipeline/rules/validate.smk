rule validate:
    input:
        [config[name] for name in ("cases", "clinical", "dictionary") if config[name]],
        list((config["features"] or {}).values()),
    output:
        f"{FOLDER}/study/study.yaml",
    log:
        f"{FOLDER}/log/validate/validate.log",
    benchmark:
        f"{FOLDER}/benchmark/validate/validate.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=10,
    params:
        code=code_fingerprint("pipeline.validate"),
        config=options(config),
        folder=f"{FOLDER}/study",
    shell:
        "python -m pipeline.validate --resolved {params.config:q} --out {params.folder:q}"
        " > {log:q} 2>&1"
