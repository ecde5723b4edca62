"""The words that give a task away, and how much each of them says; `cues` has the meaning of the weights."""

from __future__ import annotations

from collections.abc import Mapping

from router_service.core.inference.cues import Meaning
from router_service.core.task import TaskType

TASK_WORDS: Mapping[Meaning, str] = {
    TaskType.CHAT: """
        4.0: are you there, bonjour, buenas, buenos días, ciao, danke, good afternoon, good day, good evening, good
            morning, good night, goodbye, gracias, greetings, guten morgen, guten tag, hallo, hallo zusammen, hello
            there, hey there, hi, hola, how are you, how do you feel, how have you been, how's it going, howdy, long
            time no see, merci, moin, nice to meet you, qué tal, salut, see you, servus, talk to you, what's up, wie
            geht, ça va
        3.5: act as, assume the role, embody, embrace the role, imagine you are, imagine yourself, in this
            conversation, now you are, our conversation, persona, picture yourself, play the role, pretend, speak
            like, take on the role, throughout this conversation, you are now
        3.0: act as my, angry, are you human, are you smarter, broke up, bye, chat with me, cheer me up, cheers, cool,
            do you ever, do you feel, do you like, do you remember, evening, exactly, feel like, feeling so, go on,
            good point, haha, hello, hey, hmm, i agree, i am bored, i am feeling, i am so, i disagree, i don't know
            what, i feel, i guess, i miss, i think, i'm bored, i'm feeling, i'm so, if you were me, in your opinion,
            just wanted to, keep me company, let's chat, let's play, let's pretend, let's talk, lol, lonely, makes
            sense, morning, my best friend, my boss, my boyfriend, my girlfriend, my mother, need someone to talk,
            nice one, no worries, of course, part of me, pretend to be, pretend you are, role play, roleplay, sad,
            same here, should we, small talk, sorry, stay in character, talk about, tell me about yourself, tell me
            more, thank you, thanks, upset, welcome back, what do you think, what would you do, what's your, who are
            you, wow, yeah, you too, you're right, your favorite, your favourite, your opinion, your turn
        2.5: can you explain, could you explain, describe how, discuss, do we have, easy to understand, explain to me,
            help me understand, help understanding, how can one, how can you determine, how can you tell, how come,
            how do people, how does it feel, how important is, how might, how would you, i don't get, is it better, is
            it more important, is it normal, is it ok, is it okay, is it true, is it worth, should i, the difference,
            thoughts on, to what extent, what are some, what are the main, what are the major, what are the most, what
            are the primary, what factors, what happens if, what happens when, what if, what makes, what's it like,
            what's so, what's the difference between, where does, why are, why do people, why do some, why does
            everyone, why is everyone, why might, why would, why would anyone, your thoughts
        2.0: be honest, been thinking, by the way, can't stop, do you know, explain, explain the, explain this,
            explain to a, for someone who, guess what, have you ever, how do, how does, how would you explain, i hate,
            i keep hearing, i love, i was wondering, like i am 5, like i'm five, play a, rough day, rough week, so
            anyway, something nice, what is the difference between, why is it that
    """,
    TaskType.REASONING: """
        4.0: architect, architecture, architektur, arquitectura, beweise, code for bugs, code for security, code for
            sql injection, code for vulnerabilities, code for xss, code review, code safe, code secure, debug,
            debugge, debuggen, debugging, design the architecture, migration of our, plan a migration, plan each step,
            plan the steps, proof, prove, prove that, review my code, review the code, review the security, review
            this code, review this pull request, root cause, security bugs, security flaws, security holes, security
            weaknesses, steps to migrate, system design, threat model
        3.5: audit my, audit our, audit the, audit this, check my code, check this code, code audit, deduction, find
            bugs, fix the bug, fix the error, fix this error, how should we design, how should we split, how would you
            architect, how would you design, hypotheses, induction, locate the bug, look over this, migration plan
            for, monolith, multi step planning, multi-step, multi-step plan, null pointer, paradox, penetration test,
            post-mortem, postmortem, prove or disprove, review my, review the, security issues, spot the bug, step
            plan, step-by-step plan, what could go wrong, where would you look, work backwards
        3.0: any bug, any bugs, apart, attack, attack surface, attacker, average speed, big bang, blast radius, brain
            teaser, calculate, capacity planning, chess, compute, constraints, contradiction, cryptogram, csrf,
            deadlock, deadlocks, dice, disaster recovery, does it follow, does not belong, equation, explain your
            answer, explain your reasoning, exploit, find the value of, high availability, how long does it take, how
            many days, how many handshakes, how many integers, how old is, identify any bug, in terms of, inequality,
            infinitely many, intermediate steps, intermittent, km/h, knights and knaves, latency spike, lay out how,
            leak, leaks, lemma, logic puzzle, math problem, math problems, memory leak, migrate, migration plan,
            modulo, mph, next in the sequence, next number, number sequence, oom, optimal route, out of memory, p99,
            paso a paso, plan the migration, privilege escalation, probability, proof by, puzzle, race conditions,
            reason through, reasoning steps, regression in, remainder, riddle, rollback, rolling two dice, schedule
            such that, schritt für schritt, security audit, security problems, segfault, segmentation fault, show your
            steps, show your work, solve, solve for, solving, sql injection, stack trace, stacktrace, statements, step
            by step, subsets, sudoku, syllogism, theorem, think it through, think through, thread dump, through your
            reasoning, timeout, timeouts, total amount, total cost, trade-offs, tradeoffs, triangle, truth table,
            vulnerabilities, vulnerability, when do they meet, word problem, word problems, work out a plan, xss, your
            reasoning, zero downtime, étape par étape
        2.5: bottleneck, crash, crashes, derivative, diagnose, does not work, doesn't work, error message, evaluate
            the expression, exactly once, exception, fails with, figure out why, find all, find the bug, fix this bug,
            flaky, going wrong, hangs, how can you measure, integral, investigate, keeps failing, largest number of,
            long-term plan, maximum number, minimum number, not working, older than, optimise, optimize, performance
            problem, permutations, roadmap, smallest number of, stuck, taller than, throws, troubleshoot, undefined
            behaviour, what is going on, what is the fewest, what is the probability, what is wrong with, what would
            happen if, what's wrong with, why does my, why does this, why is my, why is this
        2.0: assume, availability, bug, conjecture, consistency, deduce, dependencies, derive, design a, edge case,
            failure modes, fault tolerant, feasible, given that, implies, justify, logic, logical, optimal, phases,
            plan, pull request, review, river, scalable, security, shard, single point of failure, strategy to,
            suppose, tell you, therefore, weighings, which order
        1.0: each step, explain why, how many ways, if all, por qué, pourquoi, then, warum, why
    """,
    TaskType.CODE_GENERATION: """
        4.0: boilerplate, build a feature, implement, implementiere, refactor, refactoring, refactorise, refactoriza,
            refaktoriere, rewrite this code, write a feature, write a quicksort, write a sorting function
        3.5: a script, bash command, bash script, bubble sort, build a backend, build a class, build a full, build an
            api, build me a script, chrome extension, ci pipeline, clean up this, cli tool, code a function, code
            snippet, code that, code which, command line tool, create a class, create a function, create a method,
            create a script, css for, define a function, discord bot, docker compose, ecris une fonction, escribe una
            funcion, escribe una función, excel formula, formula for, github actions, graphql schema, grpc service,
            helm chart, helper function, html for, html form, html page, kubernetes manifest, macro, merge sort,
            mergesort, method that, method to, nginx config, node script, proto file, protobuf, python script, quick
            sort, quicksort, recursive function, rest endpoint, schreibe eine funktion, shell script, sorting
            function, spreadsheet formula, systemd, telegram bot, terraform module, unit file, userscript, vba, write
            a class, write a function, write a helper, write a macro, write a method, write a program, write a query,
            write a script, write code, write functions, write me a script, write sql, écris une fonction
        3.0: api wrapper, code, code to, coden, component, cron job, dockerfile, fonction, función, function, function
            that, function to, funktion, git hook, hello world, html document, landing page, leetcode, make it async,
            makefile, middleware, program, program to, programm, python code, python function, python program, regex,
            regexp, regular expression, scraper, script, script that, script to, shell command, skript, snippet, sql
            query, stored procedure, thread safe, unit converter, web page, web scraper, write python code
        2.5: a website, add the feature, algorithm, api client, app that, async function, binary tree, bot that,
            callback, callers, clase, class, cli, crud, decorator, decorators, deduplicate, deserialize, dynamic
            programming, endpoint, extract a function, extract class, feature, fibonacci, flatten, generator, handler,
            hook, into classes, into functions, into modules, iterator, klasse, library that, listener, make this
            function, method, one-liner, optimize this query, package that, parse a, parser, port this, promise, pull
            out, pull them apart, query, rename, reverse a, serialize, service in, service that, sort a, sorted array,
            split the, this jquery, three classes, time complexity, tool that, type annotations, type hints,
            vectorize, web app, webapp, webhook, webhooks, website in, wrapper
        2.0: app, array, asynchronous, binary search, build, cache, class that, compile, complete the code, completion
            for, convert this, data structure, dataframe, editor, github action, in python, linked list, loop,
            migration for the schema, module, numpy, pandas, queue, recursion, recursive, schema, server, syntax,
            terminal command, undo
        1.5: angular, arduino, assembly, bash, c#, c++, clojure, css, dart, django, dockerfile for, elixir, express,
            fastapi, flask, flutter, golang, haskell, html, in c, in go, in r, java, javascript, kotlin, laravel,
            latex, lua, matlab, mongodb, mysql, nextjs, node, opencv, perl, php, postgres, postgresql, powershell,
            python, pytorch, rails, raspberry pi, react, ruby, rust, scala, spring, sql, sqlite, svelte, swift,
            tensorflow, typescript, vhdl, vue, wasm
        1.0: add, create, csv, datetime, json, make it, programme, returns, yaml
        0.8: following code, the class, the code, the function, this class, this code, this function, this module,
            this script
    """,
    TaskType.CLASSIFICATION: """
        5.0: intent behind, intent of, is the intent, is the sentiment, sentiment behind, sentiment of, what category
            does, what is the customer's intent, what is the intent, what is the sentiment, what is the user's intent,
            what sentiment, what's the intent, what's the sentiment, which of the following categories, which of these
            categories, which one of these categories
        4.0: categorise, categorize, clasifica, classification, classifie, classify, detect the language, exactly one
            label, intent, ja oder nein, kategorisiere, klassifiziere, label each, one of the following categories,
            oui ou non, positive or negative, sentiment, spam, sí o no, toxic or not, true or false, true/false, what
            category, which category, yes or no
        3.5: allowed labels, assign a, assign each, binary answer, bug report or, categories are, check whether,
            choose a topic, classify whether, detect if, detects if, determine if, determine whether, emotion,
            emotions, fact or opinion, feature request, few-shot, formal or informal, happy angry or sad, happy or
            sad, identify if, in which category, into one of, is relevant, labels are, mark each, multiple choice,
            named entities, nsfw, offensive or not, one of the following, output 1, output true, output yes, part of
            speech, pass or fail, pos tag, possible categories, predict the intent, predict whether, real or fake,
            relevant or not, respond with, route the message, route this ticket, safe or unsafe, satisfied or, sfw,
            should handle, spam or ham, spam or not, support or, tag each, tag the, tell if, tell me if, tell me
            whether, the categories, topic candidates, urgent or not, verify if, what emotion, what kind of, what type
            of, which department, which emotion, which intent, which label, which team should, zero-shot
        3.0: assign, categories, category, fraudulent, hate speech, intent detector, kategorie, label, labels,
            negativ, negative, neutral, positiv, positive, sort the following, sort these, stimmung, tag, taxonomy,
            toxic, triage, which of these labels
        2.5: answer with, department, does the customer, does the message, does the review, does the text, does the
            user, exactly one, genre, genres, is the author, is the customer, is the message, is the review, is the
            text, is the writer, mood, one word answer, only the label, only with, reply with, respond only, return
            only, sarcasm, tone of
        2.0: belong to, belongs to, candidates include, choose one, contains, decide whether, detect, does this,
            either, ethical or, factually correct, false, flag, identify, identify whether, is this, moderate,
            moderation, not urgent, offensive, pick one, polarity, priority, rate the, route this, sarcastic, select
            the, stereotype, topics, true, urgent
        1.5: class of, complaint, group these, legitimate, no, other, question, whether, yes
    """,
    TaskType.SUMMARIZATION: """
        4.0: abridge, abstract of, bottom line, brief summary, cliff notes, compress, cut it down, cut this down, de
            quoi parle, de qué trata, en bref, en resumen, essence of, executive summary, fasse, give me the gist,
            highlights of, in brief, in short, key facts, key points, key takeaways, kurzfassung, main idea, main
            ideas, main takeaway, main takeaways, make it concise, make this concise, one paragraph summary,
            one-paragraph, outline of, resume, resumen, resumir, riassumi, résume, résumer, résumé, short summary,
            shorter version, stichpunkte, sum it up, sum this up, sum up, summarisation, summarise, summarised,
            summarization, summarize, summarized, summarizing, summary, summing up, the essence, tl;dr, tldr, tldr of,
            what is this about, what's this about, worum geht es, zusammen, zusammenfassen, zusammenfassung
        3.5: abstract, boil it down, boil this down, condense, digest, make it shorter, make this shorter, recap,
            shorten, synopsis, synthesis
        3.0: action items, article about, at a glance, brief manner, describe the content, gist, in 100 words, in 20
            words, in 200 words, in 50 words, in a few sentences, in a few words, in a nutshell, in five lines, in
            five sentences, in one line, in two sentences, kürze, letter about, main points, meeting notes, message
            about, minutes of, points clés, puntos principales, short version, takeaways, text about, wichtigsten
            punkte
        2.5: brief overview, in one sentence, in three sentences, in your own words, one-line, overview of the text
        2.0: article, concise, essence, gist of, long email, paragraph, thread, transcript
        1.0: brief, bullet points, bullets, minutes, overview, report, sentences, shorter, the meeting, this thread,
            words
    """,
    TaskType.RAG: """
        4.0: according to the context, according to the documents, based on the context, based on the documents, based
            on the following excerpts, from the context, knowledge base, only from the context, only the passages,
            strictly from, use only the, using only the
        3.5: answer from the, aus den dokumenten, based on our, based on the following, based on the information, cite
            the source, cite your source, do not invent, do not make up, don't make up, from the document, from the
            manual, from the passage, from the text, from these documents, given these results, grounded, if the
            answer is not, in the article, in the passage, information below, information provided, laut dokument,
            laut text, not in the context, nothing else, only use the information, our documentation, our handbook,
            our knowledge base, our policy, our wiki, passage numbers, provided information, reference material,
            retrieved articles, según el documento, según el texto, selon le texte, snippets below, source ids, stick
            to, the snippets, use only, use the text to answer, using only, using the sources, with citations
        3.0: aus dem kontext, based on the article, based on the passage, based on the text, chunk, chunks, citations,
            cite, d'après le contexte, excerpt, excerpts, following passages, in the document, passages, per the
            policy, provided context, provided text, retrieved, según el contexto, the article above, the following
            passages, the passages, the text above, these documents, these notes
        2.5: based on these, context, contexte, contexto, documents below, given the following, kontext, provided
            documents, sources provided
        1.5: according to, answer only, documents, handbook, not stated, only from, passage, quote the sentence,
            source, sources
    """,
    TaskType.VISION: """
        4.0: in this image, in this photo, in this picture, the image, the photo, the picture, this image, this photo,
            this picture
        3.0: attached image, attached photo, attached picture, auf dem bild, auf dem foto, caption, describe the
            image, describe this picture, en la foto, en la imagen, handwriting, handwritten, in the chart, in the
            diagram, in the image, in the photo, in the picture, in the screenshot, look at this picture, on the
            image, photo of, picture of, screenshot of, sur l'image, sur la photo, uploaded image
        2.0: alt text, bild, chart, diagram, foto, image, imagen, ocr, photo, picture, scan, scanned, screenshot,
            x-ray, x-rays
    """,
    TaskType.WEB_SEARCH: """
        4.0: breaking news, browse, browse to, cette semaine, check online, current news, currently trending,
            departure times, esta semana, find a link, find me the latest, find online, find reviews, find sources,
            google, heute abend, hoy en, im internet, is open now, last night, latest news, live stream, live updates,
            look up, morgen, nachrichten, nearest, noticias de, official website, on the web, online reviews, open
            now, open today, people online, recherchiere, right now, search for the latest, search online, search the
            internet, search the web, send me links, send me the link, showtimes, the news, this evening, timetable
            for, weather, web search, what happened today, what is happening, what's happening, what's new, wikipedia
            page
        3.0: aktuelle, aktuellen, as of today, at the moment, ayer, breaking, buy, cheapest flight, closed today,
            current price, election results, exchange rate, find articles, find information online, fixture list,
            flight status, flights from, flights to, forecast for, gestern, hier soir, hotel in, in stock, in the
            news, inflation rate, interest rate now, latest, latest version, line-up, live score, look for, near me,
            newest, noticias, online, opening hours, playing at, polls, price today, reliable sources, schedule for
            today, score of, share price, standings, stock market, stock price, strike, the sources, this month, this
            morning, this quarter, this week, this weekend's, this year, tickets for, today's, traffic, traffic jam,
            trending, up to date, website of, who is the current, who won, yesterday
        2.0: actualités, aujourd'hui, current, currently, derzeit, heute, hoy, links, news, recent, recently, reviews
            of, today, tonight
        1.0: clima, now, price of, published, release, website, wetter
    """,
    TaskType.CREATIVE_WRITING: """
        4.0: bedtime story, conte, cuento, fan fiction, gedicht, ghost story, haiku, kurzgeschichte, limerick, lyrics,
            monologue, novel, novelle, one-act play, poem, poema, poème, screenplay, short story, slogan, sonnet,
            write a song, write a story
        3.5: a scene, acrostic, ad for, advert, backstory, birthday poem, campaign, captions, catchphrase, character
            sketch, comedy sketch, creative ad, dungeon, elegy, epic, epigram, fairy tale about, first act, instagram
            caption, invent a, invent an, letra de una canción, liedtext, lore, love letter, love poem, motto, movie
            idea, movie plot, nursery rhyme, ode, origin story, paroles, plot twist, poem about, quest, radio ad,
            radio drama, reim, reime, rhymes, rhyming, rima, scene in which, scene where, screenplay for, short film,
            sketch about, song about, stand-up, stories about, story about, story of, tale about, tweet about, wedding
            speech in verse, world-building, worldbuilding, write a tale
        3.0: ad copy, ballad, blog post, brand name, captivating, catchy, concert review, creative, descriptive
            paragraph, eulogy, fable, fairy tale, fan letter, fictional, free verse, geschichte, headline for, hero,
            horror movie, in the style of, intriguing, jingle, joke, knock knock, marketing copy, movie review,
            märchen, new flavor, opening scene, parody, persuasive, podcast, product copy, product description,
            protagonist, pun, puns, rap, rhyme, riddle poem, satire, script for, script for a, sensory, short stories,
            song, spoken word, story, tagline, tale, toast, travel blog, verse, verses, villain, vivid, youtube
        2.5: chapters, character, characters, compliment, dialogue, drama, fantasy, fiction, funny response,
            ghostwrite, humorous, imagine, metaphor, narrate, narration, narrator, narrators, novel about, novella,
            plot, poet, poetic, stanza, stanzas, theatre, twist, voices, whimsical, witty
        2.0: canción, chanson, come up with, headline, histoire, historia, lied, make up, paragraph of, playful,
            scene, strophen, witz
        1.0: chapter, darker, funny, love, myths, opening, tell me a, world, write about
    """,
    TaskType.TRANSLATION: """
        4.0: a alemán, al alemán, auf deutsch, auf englisch, auf französisch, auf italienisch, auf russisch, auf
            spanisch, auf türkisch, come si dice, em português, en alemán, en español, en francés, en français, en
            inglés, en italiano, en portugués, english translation, french translation, german translation, how do you
            say, idiomatic, in english please, in italiano, ins chinesische, ins deutsche, ins italienische, ins
            russische, interpret for, into american english, into british english, localise, localize, mean in
            english, put into english, put the following into, put this into, say in, say that in, say this in,
            spanish translation, traduce, traduci, traducir, traduire, traduis, translate, translator, what does it
            say in, what does this mean in, word for, übersetze, übersetzen, übersetzung ins
        3.0: al español, al francés, al inglés, bilingual, en allemand, en anglais, en espagnol, ins englische, ins
            französische, ins spanische, interpret into, into arabic, into chinese, native speaker would say, sentence
            into, subtitle, subtitles, this sentence in
        2.0: american english, brazilian portuguese, british english, comment dit-on, cómo se dice, idiom, loanword,
            localization, native, render, simplified chinese, traducción, traduction, translated, translating,
            translation, wie sagt man, übersetzung
        0.8: language, the original, tone, translates
    """,
    TaskType.ANALYSIS: """
        4.0: a/b test, analiza, analyse, analyser, analysiere, analysis, analyze, avantages et inconvénients,
            cost-benefit, due diligence, interpret the results, pros and cons, strengths, swot, ventajas y
            desventajas, vor- und nachteile
        3.5: anomalies, assess, auswerten, auswertung, bewerte, break down, business case, cash flow, compara,
            comparar, compare, compare and contrast, comparer, comparing, competitive analysis, contrast the, critical
            reading, critique, decision matrix, discourse, evaluate, evalúa, examine, feasibility, gap analysis,
            interpret, literary analysis, market analysis, on what grounds, pestel, porter's five forces, rank these
            options, rhetorical, root cause analysis, scenario analysis, score each, sensitivity analysis, should we
            invest, similarities, similarities and differences, symbolism, tell me what the data, tell us about,
            themes in, trend analysis, untersuche, vergleiche, weigh the, weigh up, werte die, what can we conclude,
            what do the numbers, what do these numbers, what do these results, what does the data, which one would
            you, which option, which supplier, would you pick, évalue, évaluer
        3.0: advantages, advantages and disadvantages, benefits and drawbacks, bias, biases, case study, comparative,
            comparison, contrast, correlation, disadvantages, drivers, financial, forecast, impact of, implication,
            implications, insights, key metrics, kpi, methodology, patterns, root causes, sensitivity, significant,
            trend, trends, what stands out
        2.5: arguments, evidence, opportunities, outliers, riskier, risks, strengths and weaknesses, verdict, versus,
            vs, weaknesses
        2.0: average, churn, conversion, csv below, decline, figures below, flexibility, growth, interest rate,
            median, metrics, per cent, percent, risk, spreadsheet, supplier, suppliers, table below, variance
        1.5: better, competitors, conclude, conclusion, conclusions, data, daten, datos, differences, données,
            figures, logs, margin, market, quarterly, results, retention, revenue, segments, survey, themes, these
            two, which of the two
    """,
    TaskType.SIMPLE_QA: """
        3.5: boiling point, capital of, how far is, how old is, how tall is, who discovered, who invented, who
            painted, who wrote
        3.0: abbreviation, acronym, age of, antonym, area of, atomic number, author of, birthday of, capital city,
            capitale, celsius, chemical symbol, chi ha, combien de, cos'è, currency, currency of, cuántas, cuánto,
            define, definition of, director of, distance between, distance from, dónde está, fahrenheit, flag of,
            formula of, founder of, full name of, hauptstadt, height of, highest mountain, how fast, how heavy, how
            high, how long is, how many, how many countries, how many days in, how many grams, how many meters, how
            many people, how many planets, how much does, in what year, in which city, in which country, in which
            year, inventor of, land on, language of, largest, list the planets, longest, longest river, melting point,
            monnaie, name of the, name the, name three, number of, oldest, où est, où se trouve, plural of,
            population, president of, qual é, quem foi, smallest, speed of, symbol for, synonym, tallest, was
            bedeutet, was heißt, weight of, welche, welcher, what does, what does it mean, what is the capital, what
            is the definition, what is the difference, what is the name, what year, when did, when was, where is,
            which century, which city, which continent, which country, which element, which language, which planet,
            which river, who is, who was, wie alt, wie hoch, wie lang, wie weit, wo ist, wo liegt, year of
        2.0: by default, combien, cuál, cuál es, cuándo, cuántos, how much is, meaning of, qu'est-ce, quand, quel est,
            quelle est, qui, quién, stand for, stands for, wann, was ist, wer, what are, what is, what port, what's,
            when, which, who, wie viel, wie viele
        1.0: date of, does, is a, mean, percent of, where
    """,
    TaskType.TESTING: """
        4.0: acceptance tests, add a test, add tests, api tests, assert that, asserts that, boundary values, cargo
            test, cas de test, casos de prueba, chaos test, contract test, contract tests, cypress, e2e, edge cases,
            end-to-end test, end-to-end tests, equivalence classes, fuzz test, fuzzer, gherkin, go test, golden files,
            happy path, i need tests, integration test, integration tests, jest, junit, k6, komponententests, load
            test, mocha, nunit, parametrize, parametrized, playwright, property-based tests, pruebas unitarias,
            pytest, raises valueerror, regression test, regression tests, should raise, spec file, specs for, spock,
            stress test, test case, test cases, test cases for, test coverage for, test double, test doubles, test
            fixtures, test plan, test pyramid, test strategy, test suite, test this, testfall, testing this, testng,
            tests that, tests unitaires, tests which, ui tests, unit test, unit tests, unittest, unittests, vitest,
            write a test, write tests, xunit
        3.5: assertions, bdd, mutation testing, rspec, selenium, smoke test, snapshot test, tdd, test data, test for,
            test harness, test script, test scripts, testcontainers, tested, tests for, unit testing
        3.0: coverage, fault injection, fixture, fixtures, fuzz, mock the, mocks, should i test, stub, test coverage,
            testfälle, tests
        2.0: acceptance criteria, asserts, error paths, harness, negative cases, qa, reproduces this bug, scenarios,
            soak, test, testing
    """,
    TaskType.DOCUMENTATION: """
        4.0: add comments, adr, anleitung für, api docs, api reference, api reference for, changelog entry, changelog
            for, comment this code, comments for, contributing guide, contributing.md, describe the parameters,
            developer docs, developer guide, doc comment, doc comments for, docs for, docs page, docstring,
            docstrings, document how, document our, document the, document this, documenta, documentation,
            documentation for, documentation page, documente, dokumentation, dokumentiere, doxygen, explain in a
            readme, faq, getting started, guía de, handbuch, how-to for, install guide, installation guide, javadoc,
            jsdoc, kdoc, kommentiere, man page, manual de usuario, manuel d'utilisation, migration guide, mkdocs, new
            colleagues, onboarding document, openapi, operations handbook, playbook, quick start, quickstart, readme,
            readme for, readme section, release note, release notes, rfc, runbook, rustdoc, setup guide, sop, standard
            operating procedure, style guide, technical documentation, upgrade guide, user guide, user manual, wiki
            article, write docs, write documentation, write the readme, write up how, write-up
        3.5: architecture decision record, code comments, comments in the, design doc, documented, godoc, how-to
            guide, in-line comments, inline comments, javadocs, markdown docs, onboarding guide, sphinx, swagger,
            technical writing
        3.0: changelog, doc comments, docs, document, documentación, documenting, handbook for, manual, specification,
            tutorial, wiki page
        1.5: comment, comments, glossary, guide, how-to, installation, reference, troubleshooting, usage
    """,
    TaskType.GENERAL: """
        3.5: cover letter, email to, gift ideas, itinerary, meal plan, packing list, receta, recette, recipe, rezept,
            shopping list
        3.0: a list of, activities, agenda, apologize, apology, audiobooks, baby, bio, books, brainstorm, breakfast,
            budget for, cat food, checklist, checklist for, cleaning, cocktail, complaint letter, condolences, correct
            the grammar, could i cook, courses, create a list, curriculum vitae, cv, day trip, de-stress, decorate,
            dessert, diet, dinner, dog, e-mail, exercise plan, exercises, fix the grammar, friendlier, games, garden,
            gift, give a toast, give some examples, grocery, hobbies, hobbies for, hobby, homework help, how do you
            store, how to clean, how to get rid of, how to remove, how to store, ideas for, ideas para, ideas to,
            ideen für, interview answers, interview questions, invitation politely, job application, job description,
            job interview, kids, learn, learning plan, less formal, letter to, linkedin, list the, lunch, make a list,
            meal, menu, message to, misspelling, monthly budget, more concise wording, more formal, more polite,
            motivated, movie for me, movies, moving house, name for, names for, names of, nickname, outdoor
            activities, outfit, packing, palette, paraphrase, pet, places to visit, plants, playlist, polite email,
            present for, proofread, proverb, provide a list, questionnaire, recommendation letter, rephrase, reply to
            the email, resignation, resolutions, resume for, rewrite this, road trip, save money, series, signature,
            skills, sleep, sms, snacks, some examples, sound nicer, sounds more professional, spelling, stain, store
            fresh, stretching, study plan, subject line, suggest, suggestions, survey questions, syllabus, synonyms,
            template, template for, text message to, thank-you note, things to do, tips, to-do list, tone of the
            email, topics for, training plan, travel itinerary, vacation, vegan, warmup, wedding toast, what could i
            cook, what to do in, whatsapp, write a letter, write an email, yoga
        2.5: advice, birthday, cook, curriculum, email, guests, holiday, how do i get, ideas, ideen, idées,
            ingredientes, ingredients, invitation, koche, kochen, list of, party, recommend, speech, trip, wedding,
            week plan, weekend, weeks, workout, workshop, zutaten
        2.0: best way to, can i eat, change the tone, complete the, convert the, edit, examples, expand the, extract,
            fill in, format the, format this, good ways to, guide to, habits, how long should, how often should, how
            should, improve the, improve this, is there anything i, need advice, organise, organize, plan for,
            planning, prepare for, rank, recommendation, reword, rewrite, rewrite the, routine, tidy up, title for,
            weekly, what should, what should i, when should, where should, which wine, write a
        1.5: budget, draft, give me, help me, help me prepare, how can i, how do i, how to, make me, plan a, plan our,
            prepare, schedule
        1.0: convert, cups, grams, letter, list, names, polite, professional, table
    """,
}
