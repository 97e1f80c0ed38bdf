rule regress:
    output:
        directory(f"{FOLDER}/regression"),
    log:
        f"{FOLDER}/log/regress/regress.log",
    benchmark:
        f"{FOLDER}/benchmark/regress/regress.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(60),
    params:
        code=code_fingerprint("models.regress_study"),
        options=options(config, *read_by("regress", config)),
        rows=ROWS_TO_JOIN,
        study=f"{FOLDER}/study",
    shell:
        "python -m models.regress_study --study {params.study:q} --out {output:q}"
        " > {log:q} 2>&1"
