/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain_da.c - the sentences of `optag policy explain` in Danish
 *
 * Words of the guidance: samtykke, interesseafvejning, indsigelse, indsigt,
 * slettefrist, dataansvarlig, uddannelsesformål, særlige omstændigheder.
 */
#include "explain.h"

static const char *const say[X_N] = {
	[X_RULE] = "Regel \"{1}\" ({2}:{3})",
	[X_SITUATION] = "Situation {1}: {2}.",
	[X_S_A1] = "dokumentation uden samtykke",
	[X_S_A2] = "dokumentation med samtykke",
	[X_S_A3] = "dokumentation, fordi loven kræver det",
	[X_S_B] = "alene uddannelse, med samtykke",
	[X_S_C] = "alene uddannelse, uden samtykke; den registrerede kan frabede sig det",
	[X_S_D] = "alene uddannelse, uden samtykke, under særlige omstændigheder",
	[X_S_E] = "dokumentation uden samtykke og uddannelse med samtykke",
	[X_S_F] = "dokumentation og uddannelse uden samtykke; den registrerede kan frabede sig "
		  "uddannelse",
	[X_S_G] = "dokumentation og uddannelse uden samtykke, under særlige omstændigheder",
	[X_S_PAIR] = "dokumentation og uddannelse, hver på sit eget grundlag",

	[X_H_WHICH] = "Hvilke samtaler",
	[X_WHO_CALLED] = "Reglen optager samtaler, hvor der ringes til den dataansvarlige, {1}, og "
			 "hvor alt dette gælder:",
	[X_WHO_CALLING] = "Reglen optager samtaler, hvor den dataansvarlige, {1}, ringer op, og "
			  "hvor alt dette gælder:",
	[X_C_CALLED] = "der ringes til nummeret {1}",
	[X_C_CALLING] = "der ringes fra nummeret {1}",
	[X_C_TRUNK] = "opkaldet kommer ad forbindelsen {1}",
	[X_C_DOMAIN] = "SIP-domænet er {1}",
	[X_C_HEADER] = "SIP-feltet {1} {2}",
	[X_C_QUEUE] = "køen {1}",
	[X_C_AGENT] = "medarbejderen {1}",
	[X_C_INBOUND] = "opkaldet er indgående",
	[X_C_OUTBOUND] = "opkaldet er udgående",
	[X_C_TIME] = "opkaldet begynder {1}",
	[X_C_CODEC] = "lyden er kodet som {1}",
	[X_C_ENCRYPTED] = "lyden er krypteret",
	[X_C_PLAIN] = "lyden er ikke krypteret",
	[X_C_TAG] = "telefonsystemet har mærket opkaldet {1}",
	[X_OP_EQ] = "er {1}",
	[X_OP_PREFIX] = "begynder med {1}",
	[X_OP_ONE_OF] = "findes i listen {1}",
	[X_OP_PRESENT] = "er angivet",
	[X_TIMES_OF] = "Klokkeslæt og dage følger tidszonen {1}.",
	[X_NEVERS] = "Før alle regler kommer dem, der forbyder. Et opkald, som en af disse passer på, optages "
		     "slet ikke:",
	[X_NEVER] = "\"{1}\" (linje {2})",
	[X_MORE] = "{1} til",
	[X_LISTS_LAW] = "Lister over personer, der har bedt om ikke at blive optaget, standser ikke det, som loven kræver: {1}.",
	[X_BEFORE] = "Regler, der står før denne, spørges først og tager de opkald, de passer på: {1}.",
	[X_LAB] = "Reglen hører til et laboratorium: Den gælder kun for filer med optaget trafik "
		  "og aldrig for trafik i drift.",
	[X_SUBJECT] = "Den registrerede, hvis valg tæller, er {1}.",
	[X_BOTH] = "Begge parter optages, både {1} og medarbejderen.",
	[X_NOT_SUBJECT] = "Kun medarbejderen optages. Det, {1} siger, gemmes ikke.",
	[X_NOT_AGENT] = "Kun {1} optages. Det, medarbejderen siger, gemmes ikke.",
	[X_TRANSFER] = "Stilles samtalen om, er det den regel, der passer på den nye del, som "
		       "bestemmer. Et ja følger ikke med til en anden "
		       "regel eller en anden dataansvarlig. Et nej følger med.",
	[X_CALLER] = "den registrerede",
	[X_CALLEE] = "den registrerede",
	[X_CALLER_IS] = "den, der ringer",
	[X_CALLEE_IS] = "den, der bliver ringet op",

	[X_H_NOTICE] = "Speaket",
	[X_NOTICE] = "Der afspilles: {1}.",
	[X_PROOF_SOUND] =
		"Sådan vides det, at det er afspillet: Lyden af det genkendes i samtalen.",
	[X_PROOF_HEADER] = "Sådan vides det, at det er afspillet: SIP-feltet {1} siger det.",
	[X_PROOF_API] = "Sådan vides det, at det er afspillet: Callcentret melder det.",
	[X_PROOF_NONE] = "Ingen kontrollerer, at det er afspillet: Den dataansvarlige lover det.",
	[X_MISSING] = "Er det ikke godtgjort {1} efter besvarelsen, bruges samtalen ikke til "
		      "uddannelse, og {2}.",
	[X_MISSING_DOC] = "Er det ikke godtgjort {1} efter besvarelsen, gælder det, at {2}.",
	[X_MISS_NOTHING] = "intet gemmes",
	[X_MISS_QUARANTINE] = "dokumentationen låses inde i {1} og slettes så, medmindre "
			      "compliance bekræfter, at speaket blev hørt",
	[X_MISS_DISCARD] = "dokumentationen slettes",
	[X_MISS_KEEP] = "dokumentationen gemmes, og der slås alarm",
	[X_SMS] = "Link og rettigheder sendes på SMS ({1}). Er beskeden ikke nået frem efter {2}, "
		  "kommer samtalen på en liste hos compliance.",
	[X_MUST_SAY] = "I denne situation skal speaket sige:",
	[X_EL_REC] = "[rec] at samtalen optages, eller at vi gerne vil optage den",
	[X_EL_DOC] = "[doc] at det sker til dokumentation",
	[X_EL_TRAIN] = "[train] at det sker til uddannelsesformål",
	[X_EL_KEY] = "[key:{1}] at tast {1} betyder ja",
	[X_EL_WITHDRAW] = "[withdraw] at samtykket kan trækkes tilbage, og hvad der så sker",
	[X_EL_LINK] = "[link] hvor man kan læse mere: en side om optagelse af samtaler",
	[X_EL_OBJECT] = "[object] retten til at gøre indsigelse",
	[X_EL_ACCESS] = "[access] retten til indsigt",
	[X_EL_OPTOUT] = "[optout] at man kan sige til, hvis man ikke ønsker det",
	[X_EL_OPTOUT_KEY] = "[optout-key:{1}] at man kan frabede sig det med tast {1}",
	[X_EL_THEN] = "[then] hvad der så sker",
	[X_SAYS_ALL] = "Alt dette siges i {1}.",
	[X_SAYS_NOT] = "I {1} mangler [{2}].",
	[X_BY_SMS] = "[{1}] står i SMS'en.",
	[X_MODEL] = "En tekst, der passer:",
	[X_NO_MODEL] = "Der er ingen standardtekst til dette par af situationer. Sig det, som hver "
		       "af de to kræver.",

	[X_H_DOC] = "Dokumentation",
	[X_H_TRAIN] = "Uddannelse",
	[X_DOC] = "dokumentation",
	[X_TRAIN] = "uddannelse",
	[X_BASIS_CONSENT] = "Grundlaget er samtykke fra {1}.",
	[X_BASIS_INTEREST] = "Grundlaget er en interesseafvejning; der bedes ikke om samtykke.",
	[X_BASIS_LAW] = "Grundlaget er en pligt efter anden lovgivning: {1}.",
	[X_ASSESSMENT] = "Overvejelserne er skrevet ned i {1} og skal vurderes på ny senest {2}.",
	[X_KEY_YES] = "Tast {1} fra {2} betyder ja til {3}, hvis der trykkes {4}.",
	[X_WINDOW] = "fra {1} efter speakets begyndelse til {2} efter dets slutning",
	[X_WINDOW_ANSWER] = "fra {1} til {2} efter besvarelsen",
	[X_WINDOW_PROOF] = "fra {1} til {2} efter, at speaket vides at være begyndt (ingen lyd fortæller, hvor langt det er)",
	[X_WINDOW_TOLD] = "fra {1} efter speakets begyndelse til {2} efter dets slutning eller, meldes den ikke, efter dets "
			  "begyndelse (ingen lyd fortæller, hvor langt det er)",
	[X_KEYS_AFTER] = ", dog tidligst {1} efter speakets begyndelse, når dets formål er sagt",
	[X_KEYS_AFTER_OR] = " eller ",
	[X_REOPEN] = "Spørger medarbejderen igen, begynder den tid forfra.",
	[X_CONSENT_API] = "Callcentret kan melde et ja fra {1}.",
	[X_CONSENT_HEADER] = "SIP-feltet {1} kan bære et ja fra {2}.",
	[X_OTHER_KEY] = "Ingen anden tast er et ja. Det er et tryk før eller efter den tid heller "
			"ikke, og heller ikke et tryk fra medarbejderen eller i en menu.",
	[X_NO_ALONE] = "Tavshed betyder nej: Så optages der ikke noget til {1}.",
	[X_NO_BESIDE] = "Tavshed betyder nej: Så bruges samtalen ikke til {1}.",
	[X_NO_HANGUP] = "Den, der lægger på under speaket, har heller ikke sagt ja.",
	[X_START_AT_YES] = "Optagelsen begynder ved ja'et og ikke et øjeblik før.",
	[X_YES_WHOLE] = "Et ja gælder hele samtalen.",
	[X_YES_FROM] = "Et ja gælder samtalen fra tastetrykket og frem.",
	[X_WITHDRAW_KEY] = "Tast {1} fra {2} trækker samtykket tilbage, når som helst i samtalen.",
	[X_WITHDRAW_ERASES] = "Samtykket kan altid trækkes tilbage, også efter samtalen. Så "
			      "slettes optagelsen med det samme.",
	[X_WITHDRAW_ENDS] = "Samtykket kan altid trækkes tilbage, også efter samtalen. Så bruges "
			    "samtalen ikke længere til {1}.",
	[X_LOSS_CONSENT] = "Går pakker tabt, og et ja med dem, tæller det som tavshed.",
	[X_OBJ_CONSENT] =
		"En indsigelse eller en anmodning om sletning behandles som en tilbagetrækning.",

	[X_SILENCE_OPTOUT] = "Tavshed betyder, at samtalen må bruges til uddannelse, for man kan "
			     "frabede sig det:",
	[X_OPT_KEY] = "{1} trykker {2}, når som helst i samtalen",
	[X_OPT_AGENT] = "{1} siger til, og medarbejderen trykker {2}",
	[X_OPT_API] = "{1} siger til, og medarbejderens program melder det",
	[X_OPT_HEADER] = "{1} siger til, og SIP-feltet {2} melder det",
	[X_OPT_ALONE] = "Sker det, stopper optagelsen, og alt, hvad der er optaget af samtalen, "
			"tilintetgøres med det samme.",
	[X_OPT_BESIDE] = "Sker det, bruges samtalen ikke til uddannelse; dokumentationen "
			 "fortsætter uden huller.",
	[X_OPT_CALLBACK] = "Inden for {1} kan {2} én gang ringes op uden optagelse.",
	[X_OPT_WAIT] = "Indtil {1} {2} venter lyden i hukommelsen. Intet af den kan læses fra disken, før samtalen er "
		       "slut.",
	[X_OPT_BLOCK] = "Indtil {1} {2} gemmes ingen lyd, heller ikke i hukommelsen: optagelsen begynder først der. Intet af den kan "
			"læses fra disken, før samtalen er slut.",
	[X_OPT_WAIT_BESIDE] = "Uddannelse begynder tidligst {1} {2} og gælder først, når samtalen er slut.",
	[X_AFTER_NOTICE] = "efter speakets slutning",
	[X_AFTER_ANSWER] = "efter besvarelsen",
	[X_OPT_LENGTH] = "Ingen lyd fortæller, hvor langt speaket er: meldes slutningen ikke, regnes det for slut {1} efter "
			 "sin begyndelse (notice-timeout).",
	[X_OPT_HANGUP] = "Den, der lægger på under speaket, optages ikke til uddannelse.",
	[X_LOSS_DENY] = "Er pakker gået tabt, så et nej kan være overhørt, bruges samtalen ikke "
			"til uddannelse.",
	[X_LOSS_KEEP] = "Tabte pakker ændrer ikke noget, selv om der kan være et nej iblandt.",
	[X_OBJ_OPTOUT] = "En indsigelse mod uddannelse behandles som et nej.",

	[X_SPECIAL] = "Særlige omstændigheder: {1} (skrevet ned i {2}).",
	[X_SPECIAL_SILENCE] = "Ingen tast og ingen tavshed standser det. Man kan ikke frabede sig "
			      "det, og det må ikke loves.",
	[X_SPECIAL_OBJ] = "Ret til indsigelse har {1} stadig. Angives der særlige grunde, som "
			  "medarbejderen skriver ind, ophører uddannelse med "
			  "det samme, og det, der er optaget til den, tilintetgøres. Uden grunde "
			  "fortsætter den, og indsigelsen afgøres "
			  "senere, hvis det ønskes.",
	[X_SPECIAL_LOSS] = "Tabte pakker ændrer ikke noget: Der er ingen tast at overhøre.",

	[X_DOC_ANSWER] = "Der optages, fra opkaldet besvares. Ingen tast ændrer det, og tavshed "
			 "heller ikke.",
	[X_DOC_EARLY] = "Der optages fra den første lyd, også før opkaldet besvares. Ingen tast "
			"ændrer det, og tavshed heller ikke.",
	[X_DOC_LOSS] = "Tabte pakker efterlader et hul, som bliver mærket; de ændrer ikke andet.",
	[X_DOC_HANGUP] =
		"Slutter samtalen under speaket, gemmes intet, hvis den varede mindre end {1}.",
	[X_OBJ_CONTINUE] = "Den, der gør indsigelse, får en konkret afgørelse om samtalen. Imens "
			   "fortsætter optagelsen, og kun den, der skal "
			   "afgøre sagen, må høre den.",
	[X_OBJ_PAUSE] = "Den, der gør indsigelse, får en konkret afgørelse om samtalen. Imens "
			"holder optagelsen pause, og kun den, der skal "
			"afgøre sagen, må høre den.",
	[X_OBJ_STOP] = "Den, der gør indsigelse, får en konkret afgørelse om samtalen. Optagelsen "
		       "stopper ved indsigelsen.",
	[X_OBJ_LAW] = "En indsigelse afgøres som enhver anden, men den lov, der kræver optagelsen, "
		      "vejer som regel tungere.",
	[X_NOT_NEEDED] =
		"En samtale, der mærkes som unødvendig, slettes uden at vente på slettefristen.",

	[X_SAMPLE] = "Mængde: {1} af samtalerne udtrækkes, og af dem højst:",
	[X_CAP] = "{1} {2}{3}",
	[X_PER_HOUR] = "i timen",
	[X_PER_DAY] = "om dagen",
	[X_PER_WEEK] = "om ugen",
	[X_PER_MONTH] = "om måneden",
	[X_OF_RULE] = "",
	[X_OF_QUEUE] = " for hver kø",
	[X_OF_AGENT] = " for hver medarbejder",
	[X_NOT_DRAWN] = "En samtale, der ikke udtrækkes, optages slet ikke til uddannelse.",
	[X_EVENLY] = "Udtrækningen fordeles jævnt over tiden.",
	[X_FIRST_COME] = "Det er tidens første samtaler, der tages.",
	[X_UNUSED] = "En optagelse, som ingen har brugt efter {1}, slettes: en fra den {2} slettes "
		     "den {3}.",
	[X_UNUSED_BESIDE] = "En optagelse, som ingen har brugt til uddannelse efter {1}, kan ikke længere "
			    "høres til uddannelse: en fra den {2} fra og med den {3}.",
	[X_TARGET] = "Bruges mindre end {1} % af optagelserne, er den næste grænse det brugte "
		     "antal gange {2}, dog mindst {3} og aldrig mere end "
		     "ovenfor.",

	[X_ERASED] = "Slettefristen er {1} fra samtalens begyndelse, efter kalenderen i {2}.",
	[X_EXAMPLE] = "Eksempel: En samtale den {1} kl. 10.00 er slettet inden den {2} kl. 10.00.",
	[X_REASON] = "Begrundelse: {1}",
	[X_HOLD] = "En enkelt samtale kan gemmes længere i en tvist, når en navngiven person "
		   "angiver en grund og en dato for fornyet vurdering.",
	[X_NO_HOLD] = "Intet forlænger fristen: En samtale, der gemmes i en tvist, gemmes kun til "
		      "dokumentation.",
	[X_WORM] = "Indtil da kan intet ændres eller slettes.",
	[X_ONLY_DOC_AFTER] = "Derefter kan optagelsen stadig findes til dokumentation, men ikke "
			     "længere høres til uddannelse.",
	[X_MAY_LISTEN] = "Hvem der må lytte: {1}.",
	[X_NOBODY_LISTENS] = "Hvem der må lytte: ingen.",
	[X_PLAY_REASON] = "Den, der lytter, angiver en grund, og den skrives ned.",
	[X_PLAY_FREE] =
		"Den, der lytter, behøver ikke angive en grund; at der er lyttet, skrives ned.",
	[X_ACCESS] = "Ret til indsigt i optagelsen har både {1} og medarbejderen.",

	[X_H_PAUSE] = "Pauser og grænser",
	[X_SENSITIVE] = "På denne linje kan der komme {1} frem; grundlag: {2}",
	[X_SENSITIVE_FOR] = "På denne linje kan der komme {1} frem; grundlag for {2}: {3}",
	[X_PAUSE_KEY] = "Medarbejderen sætter optagelsen på pause med {1}. Det, der siges imens, "
			"findes ingen steder.",
	[X_RESUME_KEY] = "Medarbejderen genoptager med {1}.",
	[X_PAUSE_API] = "Medarbejderens program kan sætte optagelsen på pause. Det, der siges "
			"imens, findes ingen steder.",
	[X_PAUSE_HEADER] = "SIP-feltet {1} kan sætte optagelsen på pause. Det, der siges imens, "
			   "findes ingen steder.",
	[X_PAUSE_STOP] = "En pause varer højst {1}; så stopper optagelsen, og der slås alarm.",
	[X_PAUSE_RESUME] = "En pause varer højst {1}; så fortsætter optagelsen.",
	[X_NO_PAUSE] = "Optagelsen kan ikke sættes på pause.",
	[X_KEYS_UNSTORED] =
		"Tastetryk, der sendes som signaler, gemmes ikke, uanset hvad de var til.",
	[X_TONES_MUTED] = "Toner i lyden dæmpes i det, der gemmes, når lyden er G.711; i andre codecs bliver de stående.",
	[X_TONES_STAY] = "Toner i lyden bliver stående i optagelsen.",
	[X_HOLD_MUSIC] = "Ventemusik optages også.",
	[X_MIN_MAX] = "Samtaler på under {1} gemmes ikke; samtaler på over {2} afskæres.",

	[X_H_OWNER] = "Hvem der svarer for reglen",
	[X_OWNER] = "{1}.",
	[X_REVIEW] = "Reglen skal vurderes på ny senest {1}. Sker det ikke, {2}.",
	[X_MISSED_OFF] = "optager den ikke længere noget",
	[X_MISSED_CONSENT] = "optager den kun med samtykke",
	[X_MISSED_KEEP] = "fortsætter det, som loven kræver, og der slås alarm",
	[X_RECORD] = "Hvad der blev bestemt om en samtale, gemmes uden lyd og uden nummer i mindst {1}.",
	[X_H_WARNINGS] = "Advarsler",
	[X_WARNING] = "{1}, linje {2}: {3}",

	[X_AND] = "og",
	[X_OR] = "eller",
	[X_DATE] = "{1}.\1{2}\1{3}",
	[X_DECIMAL] = ",",
};

static const char *const unit[][2] = {
	{"sekund", "sekunder"}, {"minut", "minutter"}, {"time", "timer"},
	{"dag", "dage"},	{"måned", "måneder"},  {"år", "år"},
};
static const char *const month[] = {"januar",	 "februar", "marts",	"april",
				    "maj",	 "juni",    "juli",	"august",
				    "september", "oktober", "november", "december"};
static const char *const word[][2] = {
	{"mon", "man"},
	{"tue", "tir"},
	{"wed", "ons"},
	{"thu", "tor"},
	{"fri", "fre"},
	{"sat", "lør"},
	{"sun", "søn"},
	{"except", "undtagen"},
	{"withheld", "hemmeligt"},
	{"health", "helbredsoplysninger"},
	{"cpr", "personnumre"},
	{"offences", "strafbare forhold"},
	{"union", "fagforeningsmæssige forhold"},
	{"religion", "religion"},
	{"politics", "politisk overbevisning"},
	{"ethnicity", "etnisk oprindelse"},
	{"sexuality", "seksuelle forhold"},
	{"genetic", "genetiske data"},
	{"biometric", "biometriske data"},
	{"card", "kortnumre"},
	{NULL, NULL},
};
static const char *const warning[][2] = {
	{"W-01", "Linket ligner den generelle privatlivspolitik, og den er som regel ikke nok."},
	{"W-02", "En vurdering skal fornyes inden for 60 dage."},
	{"W-03", "Mange samtaler gemmes længere end slettefristen; fristen er nok forkert."},
	{"W-04", "En grænse kan ikke nås og begrænser derfor ikke noget."},
	{"W-05", "For få af optagelserne bliver brugt."},
	{"W-06", "En tast bruges også i menuen omkring speaket."},
	{"W-07", "Ingen samtale har passet på reglen i 30 dage."},
	{"W-08",
	 "Ingen siger nej længere, siden politikken blev ændret; måske bliver tasten ikke hørt."},
	{"W-09", "Næsten alle siger ja; måske tæller tryk fra den forkerte side."},
	{"W-10", "Ingen kontrollerer, at speaket er afspillet."},
	{"W-11", "Tastetryk høres kun som toner i lyden."},
	{"W-12",
	 "Det vides ikke, hvem medarbejderen er, så en grænse pr. medarbejder er fælles for alle."},
	{"W-13", "Alle samtaler udtrækkes."},
	{"W-14", "Et alarmnummer er omfattet af reglen."},
	{"W-15", "Andre end ejeren kan ændre filen."},
	{"W-16", "To speak på samme sprog gælder samtidig."},
	{"W-17", "Man kan frabede sig det med en tast, som speaket ikke nævner."},
	{"W-18", "Den dataansvarlige er et laboratorium; reglerne gælder ikke trafik i drift."},
	{"W-19", "Svarene står i en fil, som et menneske må læse."},
	{"W-20", "Reglen passer først, når lyden er kendt; det, der er sagt før, optages ikke."},
	{"W-21",
	 "Hvor længe loven kræver optagelser gemt, vides ikke her; et menneske må se efter."},
	{"W-22", "En vurdering siger ikke, hvem der har skrevet den, hvornår, eller hvad den endte med."},
	{"W-23", "En indstilling gemmes, men endnu er der intet, der retter sig efter den."},
	{"W-24", "Intet i speakets tekst viser, hvor det siger, hvad der er angivet i elements."},
	{"W-25", "Speaket er langt, og der står ikke, hvornår formålene er sagt; en tast kan tælle som ja før."},
	{NULL, NULL},
};

const struct explain_text explain_da = {say, unit, month, word, warning};
