# Pages to scroll through, only where they are asked for (`snakemake readers`): about a megabyte and
# a second a case. The list is the rule's output; the pages lie beside it undeclared, since Snakemake
# would delete all of them whenever one has changed, and the stage knows by their keys which to write.
rule reader_pages:
    input:
        ingest=f"{FOLDER}/tables/ingest.parquet",
        masks=f"{FOLDER}/tables/masks.parquet",
        agreement=f"{FOLDER}/tables/agreement.parquet",
    output:
        f"{FOLDER}/report/readers/index.html",
    log:
        f"{FOLDER}/log/reader_pages/reader_pages.log",
    benchmark:
        f"{FOLDER}/benchmark/reader_pages/reader_pages.tsv"
    conda:
        "../../environment.yml"
    threads: 4
    resources:
        mem_mb=memory(8000),
        runtime=minutes(120),
    params:
        code=code_fingerprint("segmentation.viewer"),
        templates=files_fingerprint(
            Path(PACKAGE, "segmentation/pages/templates").iterdir()
        ),
        options=options(config, *read_by("reader_pages", config)),
        study=f"{FOLDER}/study",
    shell:
        "python -m segmentation.viewer --study {params.study:q} --ingest {input.ingest:q}"
        " --masks {input.masks:q} --agreement {input.agreement:q} --out {output:q}"
        " --processes {threads} > {log:q} 2>&1"
