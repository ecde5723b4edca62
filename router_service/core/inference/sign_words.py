"""The words that tell how hard a request is, and whether it is technical or a refactoring."""

from __future__ import annotations

from collections.abc import Mapping

from router_service.core.inference.cues import Meaning, Sign

SIGN_WORDS: Mapping[Meaning, str] = {
    Sign.REFACTORING: """
        3.0: clean up this class, clean up this code, refactor, refactoring, refactorise, refactoriza,
            refaktoriere, restructure this
        2.0: clean up this, extract a function, extract method, legacy code, pull out, without changing behavior,
            without changing behaviour
        1.0: clean up, doppelten, duplication, own function, pull the, rename, responsibilities, restructure,
            simplify this, split it
    """,
    Sign.TECHNICAL: """
        2.0: adr, api, async, backend, bash, c++, ci, code review, codebase, compile, cookie, cpu, css, deadlock,
            deadlocks, debug, debugge, debuggen, debugging, django, dns, docker, dockerfile, docstring, fastapi,
            flask, frontend, gherkin, git, golang, graphql, grpc, heap, html, http, http/2, java, javascript,
            jest, jquery, jsdoc, junit, jwt, k6, kafka, kernel, kubernetes, linux, localhost, login handler,
            memory leak, microservice, microservices, middleware, mutex, mysql, node, npm, null pointer, oauth,
            openapi, pip, postgres, postgresql, protobuf, pull request, pytest, python, race conditions, react,
            readme, redis, refactor, refactoring, regex, rest api, rpc, rust, segfault, segmentation fault, sql,
            sqlite, ssh, stack trace, stacktrace, sync service, system design, tcp, terraform, tls, typescript,
            unit test, unit tests, vpn, vulnerabilities, vulnerability, webhook, webhooks, websocket, wire
            protocol
        1.0: alarm, algorithm, app, bug, cache, clase, class, cluster, code, command line, commit, commits,
            compiler, component, config, coverage, csv, database, deploy, dict, encryption, endpoint, exception,
            fonction, framework, función, function, funktion, hook, json, klasse, konfigurationsdatei, latency,
            library, memory, module, on-call, open-source, parser, password, pipeline, plug-in, port, process,
            program, protocol, query, queue, release, repository, rows, schema, script, security, security issues,
            server, shard, software, test, tests, thread, threads, throughput, unitaires, yaml
    """,
    Sign.DEMANDING: """
        6.0: clean up this class, clean up this code, refactor, refactoring, refactorise, refactoriza,
            refaktoriere
        4.0: architect, architecture, architektur, arquitectura, audit our, code review, complex, debug, debugge,
            debuggen, debugging, memory leak, multi-step, race conditions, review my code, review the code, review
            the security, review this code, review this pull request, security audit, segmentation fault, system
            design, threat model, vulnerabilities
        2.0: chapter, complete, comprehensive, contradict each other, curriculum, deep dive, distributed, due
            diligence, end-to-end, executive summary, full, in depth, integration test, migration, multi-tenant,
            novel, production, real-time, security, specification, strategy, taxonomy, thorough, trade-offs,
            whole, world
        1.0: across, anomalies, assess, attacker, cite, conclusion, concurrency, consistency, deadlocks, design,
            detail, detailed, develop, drivers, each, every, examine, explain, guide, impact, justify, leak,
            leaking, leaks, legal, medical, motif, multiple, narrator, narrators, phases, plan, proof, prove,
            race, reconcile, risks, rollback, several, structured, synthesis, weigh, without changing, work out
    """,
    Sign.EASY: """
        2.0: basic, boilerplate, hello world, just the, one line, one sentence, one-liner, quick, simple, tl;dr,
            true/false, yes or no
        1.0: a test, brief, capital, haiku, hello, hi, joke, label, limerick, names, only, polite, regex, short,
            slogan, small, thanks, tips, word
    """,
}
