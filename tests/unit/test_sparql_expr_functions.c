/* The functions of SPARQL 1.1 section 17.4 and the casts of 17.5. */
#include "sparql_expr_world.h"

#define XSD "http://www.w3.org/2001/XMLSchema#"

static void
test_expr__functions_on_terms(void **state)
{
  static const example examples[] = {
      {"STR(:a)", "\"http://x/a\""},
      {"STR(\"a\")", "\"a\""},
      {"STR(\"a\"@en)", "\"a\""},
      {"STR(12)", "\"12\""},
      {"STR(\"012\"^^xsd:integer)", "\"012\""},
      {"STR(1 + 1)", "\"2\""},
      {"STR(1.50)", "\"1.50\""},
      {"STR(BNODE())", "error"},
      {"LANG(\"a\"@en-GB)", "\"en-GB\""},
      {"LANG(\"a\")", "\"\""},
      {"LANG(1)", "\"\""},
      {"LANG(:a)", "error"},
      {"LANG(\"a\"@en) = \"en\"", "true"},
      {"LANGMATCHES(\"en\", \"en\")", "true"},
      {"LANGMATCHES(\"en-GB\", \"en\")", "true"},
      {"LANGMATCHES(\"EN-gb\", \"en-GB\")", "true"},
      {"LANGMATCHES(\"eng\", \"en\")", "false"},
      {"LANGMATCHES(\"en\", \"en-GB\")", "false"},
      {"LANGMATCHES(\"en\", \"*\")", "true"},
      {"LANGMATCHES(\"\", \"*\")", "false"},
      {"LANGMATCHES(LANG(\"a\"@fr), \"FR\")", "true"},
      {"LANGMATCHES(:a, \"FR\")", "error"},
      {"DATATYPE(\"a\")", "<" XSD "string>"},
      {"DATATYPE(\"a\"@en)", "<http://www.w3.org/1999/02/22-rdf-syntax-ns#langString>"},
      {"DATATYPE(1)", "<" XSD "integer>"},
      {"DATATYPE(1.0)", "<" XSD "decimal>"},
      {"DATATYPE(1.0E0)", "<" XSD "double>"},
      {"DATATYPE(true)", "<" XSD "boolean>"},
      {"DATATYPE(\"1\"^^xsd:byte)", "<" XSD "byte>"},
      {"DATATYPE(\"x\"^^xsd:integer)", "<" XSD "integer>"},
      {"DATATYPE(\"x\"^^:t)", "<http://x/t>"},
      {"DATATYPE(\"2006-01-01\"^^xsd:date)", "<" XSD "date>"},
      {"DATATYPE(1 + 1.5)", "<" XSD "decimal>"},
      {"DATATYPE(:a)", "error"},
      {"IRI(:a)", "<http://x/a>"},
      {"IRI(\"http://y/b\")", "<http://y/b>"},
      {"IRI(\"c\")", "<http://base.example/dir/c>"},
      {"URI(\"../c\")", "<http://base.example/c>"},
      {"IRI(\"a b\")", "error"},
      {"IRI(\"a\"@en)", "error"},
      {"IRI(1)", "error"},
      {"STRDT(\"1\", xsd:integer)", "1"},
      {"STRDT(\"a\", :t)", "\"a\"^^<http://x/t>"},
      {"STRDT(\"a\", xsd:string)", "\"a\""},
      {"STRDT(\"a\"@en, :t)", "error"},
      {"STRDT(1, :t)", "error"},
      {"STRDT(\"a\", \"t\")", "error"},
      {"STRLANG(\"a\", \"en\")", "\"a\"@en"},
      {"STRLANG(\"a\"@en, \"en\")", "error"},
      {"STRLANG(1, \"en\")", "error"},
      {"STRLANG(\"a\", \"\")", "error"},
      {"STRLANG(\"a\", \"e n\")", "error"},
      {"isIRI(:a)", "true"},
      {"isURI(\"a\")", "false"},
      {"isIRI(1)", "false"},
      {"isBLANK(:a)", "false"},
      {"isBLANK(BNODE())", "true"},
      {"isBLANK(BNODE(\"a\"))", "true"},
      {"isLITERAL(\"a\")", "true"},
      {"isLITERAL(1)", "true"},
      {"isLITERAL(:a)", "false"},
      {"isNUMERIC(1)", "true"},
      {"isNUMERIC(1.5)", "true"},
      {"isNUMERIC(\"1\"^^xsd:byte)", "true"},
      {"isNUMERIC(\"1\"^^xsd:float)", "true"},
      {"isNUMERIC(\"1\")", "false"},
      {"isNUMERIC(\"x\"^^xsd:integer)", "false"},
      {"isNUMERIC(\"1200\"^^xsd:byte)", "false"},
      {"isNUMERIC(true)", "false"},
      {"isNUMERIC(:a)", "false"},
      {"BNODE(1)", "error"},
      {"sameTerm(BNODE(), BNODE())", "false"},
      {"sameTerm(BNODE(\"a\"), BNODE(\"a\"))", "true"},
      {"sameTerm(BNODE(\"a\"), BNODE(\"b\"))", "false"},
      {"isIRI(UUID())", "true"},
      {"REGEX(STR(UUID()), "
       "\"^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$\")",
       "true"},
      {"REGEX(STRUUID(), "
       "\"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$\")",
       "true"},
      {"STRUUID() = STRUUID()", "false"},
  };
  CHECK(examples);
}

static void
test_expr__functions_on_strings(void **state)
{
  static const example examples[] = {
      {"STRLEN(\"chat\")", "4"},
      {"STRLEN(\"chat\"@en)", "4"},
      {"STRLEN(\"\xe9\xa3\x9f\xe3\x81\xb9\xe7\x89\xa9\")", "3"},
      {"STRLEN(\"\xf0\x9f\x98\x80\")", "1"},
      {"STRLEN(\"\")", "0"},
      {"STRLEN(1)", "error"},
      {"SUBSTR(\"foobar\", 4)", "\"bar\""},
      {"SUBSTR(\"foobar\"@en, 4)", "\"bar\"@en"},
      {"SUBSTR(\"foobar\", 4, 1)", "\"b\""},
      {"SUBSTR(\"foobar\"@en, 4, 1)", "\"b\"@en"},
      {"SUBSTR(\"motor car\", 6)", "\" car\""},
      {"SUBSTR(\"metadata\", 4, 3)", "\"ada\""},
      {"SUBSTR(\"12345\", 1.5, 2.6)", "\"234\""},
      {"SUBSTR(\"12345\", 0, 3)", "\"12\""},
      {"SUBSTR(\"12345\", 5, -3)", "\"\""},
      {"SUBSTR(\"12345\", -3, 5)", "\"1\""},
      {"SUBSTR(\"12345\", 0/0.0E0, 3)", "\"\""},
      {"SUBSTR(\"12345\", 1, 0/0.0E0)", "\"\""},
      {"SUBSTR(\"12345\", -42, 1/0.0E0)", "\"12345\""},
      {"SUBSTR(\"12345\", -1/0.0E0, 1/0.0E0)", "\"\""},
      {"SUBSTR(\"12345\", 6)", "\"\""},
      {"SUBSTR(\"12345\", 5)", "\"5\""},
      {"SUBSTR(\"12345\", 2, 1000000000000)", "\"2345\""},
      {"SUBSTR(\"\", 1)", "\"\""},
      {"SUBSTR(\"\xe9\xa3\x9f\xe3\x81\xb9\xe7\x89\xa9\", 2, 1)", "\"\xe3\x81\xb9\""},
      {"SUBSTR(1, 1)", "error"},
      {"SUBSTR(\"a\", \"1\")", "error"},
      {"UCASE(\"foo\")", "\"FOO\""},
      {"UCASE(\"foo\"@en)", "\"FOO\"@en"},
      {"UCASE(\"stra\xc3\x9f"
       "e\")",
       "\"STRASSE\""},
      {"UCASE(\"\xef\xac\x80\")", "\"FF\""},
      {"UCASE(\"\xc3\xa9\")", "\"\xc3\x89\""},
      {"UCASE(\"\xf0\x90\x90\xa8\")", "\"\xf0\x90\x90\x80\""},
      {"UCASE(1)", "error"},
      {"LCASE(\"BAR\")", "\"bar\""},
      {"LCASE(\"BAR\"@en)", "\"bar\"@en"},
      {"LCASE(\"\xc3\x89\")", "\"\xc3\xa9\""},
      {"LCASE(\"\xc4\xb0\")", "\"i\xcc\x87\""},
      {"LCASE(\"\xce\x9f\xce\x94\xce\x9f\xce\xa3\")", "\"\xce\xbf\xce\xb4\xce\xbf\xcf\x82\""},
      {"LCASE(\"\xce\xa3\xce\x91\")", "\"\xcf\x83\xce\xb1\""},
      {"STRSTARTS(\"foobar\", \"foo\")", "true"},
      {"STRSTARTS(\"foobar\"@en, \"foo\"@en)", "true"},
      {"STRSTARTS(\"foobar\"@en, \"foo\")", "true"},
      {"STRSTARTS(\"foobar\", \"foo\"@en)", "error"},
      {"STRSTARTS(\"foobar\"@en, \"foo\"@fr)", "error"},
      {"STRSTARTS(\"foobar\", \"bar\")", "false"},
      {"STRSTARTS(\"foobar\", \"\")", "true"},
      {"STRSTARTS(\"\", \"\")", "true"},
      {"STRSTARTS(\"foo\", \"foobar\")", "false"},
      {"STRSTARTS(:a, \"http\")", "error"},
      {"STRENDS(\"foobar\", \"bar\")", "true"},
      {"STRENDS(\"foobar\"@en, \"bar\"@en)", "true"},
      {"STRENDS(\"foobar\", \"foo\")", "false"},
      {"STRENDS(\"bar\", \"foobar\")", "false"},
      {"CONTAINS(\"foobar\", \"bar\")", "true"},
      {"CONTAINS(\"foobar\"@en, \"foo\")", "true"},
      {"CONTAINS(\"foobar\", \"oba\")", "true"},
      {"CONTAINS(\"foobar\", \"xyz\")", "false"},
      {"CONTAINS(\"\", \"\")", "true"},
      {"CONTAINS(\"\", \"a\")", "false"},
      {"CONTAINS(1, \"1\")", "error"},
      {"STRBEFORE(\"abc\", \"b\")", "\"a\""},
      {"STRBEFORE(\"abc\"@en, \"bc\")", "\"a\"@en"},
      {"STRBEFORE(\"abc\"@en, \"b\"@cy)", "error"},
      {"STRBEFORE(\"abc\"^^xsd:string, \"\")", "\"\""},
      {"STRBEFORE(\"abc\", \"xyz\")", "\"\""},
      {"STRBEFORE(\"abc\"@en, \"z\"@en)", "\"\""},
      {"STRBEFORE(\"abc\"@en, \"z\")", "\"\""},
      {"STRBEFORE(\"abc\"@en, \"\"@en)", "\"\"@en"},
      {"STRBEFORE(\"abc\"@en, \"\")", "\"\"@en"},
      {"STRAFTER(\"abc\", \"b\")", "\"c\""},
      {"STRAFTER(\"abc\"@en, \"ab\")", "\"c\"@en"},
      {"STRAFTER(\"abc\"@en, \"b\"@cy)", "error"},
      {"STRAFTER(\"abc\", \"\")", "\"abc\""},
      {"STRAFTER(\"abc\", \"xyz\")", "\"\""},
      {"STRAFTER(\"abc\"@en, \"z\"@en)", "\"\""},
      {"STRAFTER(\"abc\"@en, \"\"@en)", "\"abc\"@en"},
      {"STRAFTER(\"abc\", \"c\")", "\"\""},
      {"STRAFTER(\"\", \"\")", "\"\""},
      {"ENCODE_FOR_URI(\"Los Angeles\")", "\"Los%20Angeles\""},
      {"ENCODE_FOR_URI(\"Los Angeles\"@en)", "\"Los%20Angeles\""},
      {"ENCODE_FOR_URI(\"a-b_c.d~e/\xe9\xa3\x9f\")", "\"a-b_c.d~e%2F%E9%A3%9F\""},
      {"ENCODE_FOR_URI(1)", "error"},
      {"CONCAT(\"foo\", \"bar\")", "\"foobar\""},
      {"CONCAT(\"foo\"@en, \"bar\"@en)", "\"foobar\"@en"},
      {"CONCAT(\"foo\"@en, \"bar\")", "\"foobar\""},
      {"CONCAT(\"foo\"@en, \"bar\"@fr)", "\"foobar\""},
      {"CONCAT(\"foo\", \"bar\"^^xsd:string)", "\"foobar\""},
      {"CONCAT()", "\"\""},
      {"CONCAT(\"a\")", "\"a\""},
      {"CONCAT(\"a\", \"b\", \"c\", \"d\", \"e\", \"f\")", "\"abcdef\""},
      {"CONCAT(\"a\", 1)", "error"},
      {"CONCAT(\"a\", 1/0)", "error"},
      {"REPLACE(\"abcd\", \"b\", \"Z\")", "\"aZcd\""},
      {"REPLACE(\"abab\", \"B\", \"Z\", \"i\")", "\"aZaZ\""},
      {"REPLACE(\"abab\", \"B.\", \"Z\", \"i\")", "\"aZb\""},
      {"REPLACE(\"abracadabra\", \"bra\", \"*\")", "\"a*cada*\""},
      {"REPLACE(\"abracadabra\", \"a.*a\", \"*\")", "\"*\""},
      {"REPLACE(\"abracadabra\", \"a.*?a\", \"*\")", "\"*c*bra\""},
      {"REPLACE(\"abracadabra\", \"a\", \"\")", "\"brcdbr\""},
      {"REPLACE(\"abracadabra\", \"a(.)\", \"a$1$1\")", "\"abbraccaddabbra\""},
      {"REPLACE(\"abracadabra\", \".*?\", \"$1\")", "error"},
      {"REPLACE(\"AAAA\", \"A+\", \"b\")", "\"b\""},
      {"REPLACE(\"AAAA\", \"A+?\", \"b\")", "\"bbbb\""},
      {"REPLACE(\"darted\", \"^(.*?)d(.*)$\", \"$1c$2\")", "\"carted\""},
      {"REPLACE(\"abc\"@en, \"b\", \"x\")", "\"axc\"@en"},
      {"REPLACE(\"abc\", \"z\", \"x\")", "\"abc\""},
      {"REPLACE(\"a.b\", \".\", \"x\", \"q\")", "\"axb\""},
      {"REPLACE(\"ab\", \"a\", \"$\")", "error"},
      {"REPLACE(\"ab\", \"a\", \"\\\\$\")", "\"$b\""},
      {"REPLACE(\"ab\", \"a\", \"$\", \"q\")", "\"$b\""},
      {"REPLACE(\"ab\", \"(a)\", \"$12\")", "\"a2b\""},
      {"REPLACE(1, \"a\", \"b\")", "error"},
      {"REGEX(\"abc\", \"b\")", "true"},
      {"REGEX(\"abc\", \"^b\")", "false"},
      {"REGEX(\"abc\", \"^a\")", "true"},
      {"REGEX(\"abc\", \"c$\")", "true"},
      {"REGEX(\"abc\\n\", \"c$\")", "false"},
      {"REGEX(\"ABC\", \"b\")", "false"},
      {"REGEX(\"ABC\", \"b\", \"i\")", "true"},
      {"REGEX(\"\xc3\x89\", \"\xc3\xa9\", \"i\")", "true"},
      {"REGEX(\"a\\nb\", \"a.b\")", "false"},
      {"REGEX(\"a\\nb\", \"a.b\", \"s\")", "true"},
      {"REGEX(\"a\\nb\", \"^b\")", "false"},
      {"REGEX(\"a\\nb\", \"^b\", \"m\")", "true"},
      {"REGEX(\"helloworld\", \"hello world\", \"x\")", "true"},
      {"REGEX(\"hello world\", \"hello[ ]world\", \"x\")", "true"},
      {"REGEX(\"a#b\", \"a # b\", \"x\")", "true"},
      {"REGEX(\"a.c\", \"a.c\", \"q\")", "true"},
      {"REGEX(\"abc\", \"a.c\", \"q\")", "false"},
      {"REGEX(\"A.C\", \"a.c\", \"qi\")", "true"},
      {"REGEX(\"abc\", \"b\", \"z\")", "error"},
      {"REGEX(\"abc\", \"(\")", "error"},
      {"REGEX(\"abc\", \"[a\")", "error"},
      {"REGEX(\"abc\"@en, \"b\")", "true"},
      {"REGEX(:a, \"b\")", "error"},
      {"REGEX(\"abc\", \"b\"@en)", "error"},
      {"REGEX(\"\", \"\")", "true"},
      {"REGEX(\"xyz\", \"^[a-z-[aeiou]]+$\")", "true"},
      {"REGEX(\"xayz\", \"^[a-z-[aeiou]]+$\")", "false"},
      {"REGEX(\"foo:bar\", \"^\\\\i\\\\c*$\")", "true"},
      {"REGEX(\"1foo\", \"^\\\\i\\\\c*$\")", "false"},
      {"REGEX(\"\xce\xb1\", \"\\\\p{IsGreek}\")", "true"},
      {"REGEX(\"a\", \"\\\\p{IsGreek}\")", "false"},
      {"REGEX(\"\xce\xb1\", \"\\\\p{L}\")", "true"},
      {"REGEX(\"\xd9\xa3\", \"\\\\d\")", "true"},
      {"REGEX(\"\xf0\x9f\x98\x80\", \"^.$\")", "true"},
  };
  CHECK(examples);
}

static void
test_expr__functions_on_numbers(void **state)
{
  static const example examples[] = {
      {"ABS(-1)", "1"},
      {"ABS(1)", "1"},
      {"ABS(-1.5)", "1.5"},
      {"ABS(-1.5E0)", "1.5E0"},
      {"ABS(\"-1.5\"^^xsd:float)", "\"1.5E0\"^^<" XSD "float>"},
      {"ABS(\"a\")", "error"},
      {"ABS(-170141183460469231731687303715884105728)", "170141183460469231731687303715884105728"},
      {"CEIL(10.5)", "\"11\"^^<" XSD "decimal>"},
      {"CEIL(-10.5)", "\"-10\"^^<" XSD "decimal>"},
      {"CEIL(1.5E0)", "2.0E0"},
      {"CEIL(3)", "3"},
      {"FLOOR(10.5)", "\"10\"^^<" XSD "decimal>"},
      {"FLOOR(-10.5)", "\"-11\"^^<" XSD "decimal>"},
      {"FLOOR(-1.5E0)", "-2.0E0"},
      {"ROUND(2.4999)", "\"2\"^^<" XSD "decimal>"},
      {"ROUND(2.5)", "\"3\"^^<" XSD "decimal>"},
      {"ROUND(-2.5)", "\"-2\"^^<" XSD "decimal>"},
      {"ROUND(-2.51)", "\"-3\"^^<" XSD "decimal>"},
      {"ROUND(2.5E0)", "3.0E0"},
      {"ROUND(-2.5E0)", "-2.0E0"},
      {"ROUND(-0.4E0)", "-0.0E0"},
      {"ROUND(0.49999999999999994E0)", "0.0E0"},
      {"ROUND(1/0.0E0)", "\"INF\"^^<" XSD "double>"},
      {"ROUND(123456789012345678901234567890.5)",
       "\"123456789012345678901234567891\"^^<" XSD "decimal>"},
      {"ROUND(\"a\")", "error"},
      {"RAND() >= 0 && RAND() < 1", "true"},
      {"DATATYPE(RAND())", "<" XSD "double>"},
  };
  CHECK(examples);
}

static void
test_expr__functions_on_times(void **state)
{
  static const example examples[] = {
      {"YEAR(\"2011-01-10T14:45:13.815-05:00\"^^xsd:dateTime)", "2011"},
      {"MONTH(\"2011-01-10T14:45:13.815-05:00\"^^xsd:dateTime)", "1"},
      {"DAY(\"2011-01-10T14:45:13.815-05:00\"^^xsd:dateTime)", "10"},
      {"HOURS(\"2011-01-10T14:45:13.815-05:00\"^^xsd:dateTime)", "14"},
      {"MINUTES(\"2011-01-10T14:45:13.815-05:00\"^^xsd:dateTime)", "45"},
      {"SECONDS(\"2011-01-10T14:45:13.815-05:00\"^^xsd:dateTime)", "13.815"},
      {"SECONDS(\"2011-01-10T14:45:13Z\"^^xsd:dateTime)", "\"13\"^^<" XSD "decimal>"},
      {"SECONDS(\"2011-01-10T14:45:13.123456789Z\"^^xsd:dateTime)", "13.123456789"},
      {"TIMEZONE(\"2011-01-10T14:45:13.815-05:00\"^^xsd:dateTime)",
       "\"-PT5H\"^^<" XSD "dayTimeDuration>"},
      {"TIMEZONE(\"2011-01-10T14:45:13.815Z\"^^xsd:dateTime)",
       "\"PT0S\"^^<" XSD "dayTimeDuration>"},
      {"TIMEZONE(\"2011-01-10T14:45:13.815+05:30\"^^xsd:dateTime)",
       "\"PT5H30M\"^^<" XSD "dayTimeDuration>"},
      {"TIMEZONE(\"2011-01-10T14:45:13.815\"^^xsd:dateTime)", "error"},
      {"TZ(\"2011-01-10T14:45:13.815-05:00\"^^xsd:dateTime)", "\"-05:00\""},
      {"TZ(\"2011-01-10T14:45:13.815Z\"^^xsd:dateTime)", "\"Z\""},
      {"TZ(\"2011-01-10T14:45:13.815+00:00\"^^xsd:dateTime)", "\"+00:00\""},
      {"TZ(\"2011-01-10T14:45:13.815\"^^xsd:dateTime)", "\"\""},
      {"YEAR(\"-0044-03-15T00:00:00Z\"^^xsd:dateTime)", "-44"},
      {"YEAR(\"2011-01-10\"^^xsd:date)", "2011"},
      {"HOURS(\"23:10:00\"^^xsd:time)", "23"},
      {"HOURS(\"2011-01-10\"^^xsd:date)", "error"},
      {"YEAR(\"2011-02-30T00:00:00Z\"^^xsd:dateTime)", "error"},
      {"DAY(\"2012-02-29T00:00:00Z\"^^xsd:dateTime)", "29"},
      {"DAY(\"1900-02-29T00:00:00Z\"^^xsd:dateTime)", "error"},
      {"DAY(\"2011-12-31T24:00:00Z\"^^xsd:dateTime)", "1"},
      {"YEAR(\"2011\")", "error"},
      {"YEAR(1)", "error"},
      {"NOW() = NOW()", "true"},
      {"DATATYPE(NOW())", "<" XSD "dateTime>"},
      {"NOW() > \"2020-01-01T00:00:00Z\"^^xsd:dateTime", "true"},
      {"TZ(NOW())", "\"Z\""},
  };
  CHECK(examples);
}

static void
test_expr__hash_functions(void **state)
{
  static const example examples[] = {
      {"MD5(\"abc\")", "\"900150983cd24fb0d6963f7d28e17f72\""},
      {"MD5(\"\")", "\"d41d8cd98f00b204e9800998ecf8427e\""},
      {"SHA1(\"abc\")", "\"a9993e364706816aba3e25717850c26c9cd0d89d\""},
      {"SHA256(\"abc\")", "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\""},
      {"SHA384(\"abc\")", "\"cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                          "8086072ba1e7cc2358baeca134c825a7\""},
      {"SHA512(\"abc\")", "\"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192"
                          "992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f\""},
      {"MD5(\"abc\"@en)", "error"},
      {"MD5(1)", "error"},
      {"MD5(:a)", "error"},
  };
  CHECK(examples);
}

static void
test_expr__casts(void **state)
{
  static const example examples[] = {
      {"xsd:boolean(\"true\")", "true"},
      {"xsd:boolean(\"1\")", "true"},
      {"xsd:boolean(\"0\")", "false"},
      {"xsd:boolean(\"yes\")", "error"},
      {"xsd:boolean(\"0E1\")", "error"},
      {"xsd:boolean(0)", "false"},
      {"xsd:boolean(13)", "true"},
      {"xsd:boolean(0.0E0)", "false"},
      {"xsd:boolean(\"NaN\"^^xsd:double)", "false"},
      {"xsd:boolean(\"0\"^^xsd:boolean)", "false"},
      {"xsd:integer(\"13\")", "13"},
      {"xsd:integer(\" 13 \")", "13"},
      {"xsd:integer(\"+013\")", "13"},
      {"xsd:integer(\"1.5\")", "error"},
      {"xsd:integer(\"\")", "error"},
      {"xsd:integer(1.9)", "1"},
      {"xsd:integer(-1.9)", "-1"},
      {"xsd:integer(-7.875E0)", "-7"},
      {"xsd:integer(1.0E20)", "100000000000000000000"},
      {"xsd:integer(1/0.0E0)", "error"},
      {"xsd:integer(true)", "1"},
      {"xsd:integer(:a)", "error"},
      {"xsd:integer(\"1\"@en)", "error"},
      {"xsd:integer(\"1\"^^xsd:byte)", "1"},
      {"xsd:byte(12)", "\"12\"^^<" XSD "byte>"},
      {"xsd:byte(1200)", "error"},
      {"xsd:byte(\"12\")", "\"12\"^^<" XSD "byte>"},
      {"xsd:unsignedInt(-1)", "error"},
      {"xsd:decimal(\"+33.3300\")", "33.33"},
      {"xsd:decimal(\"0.0\")", "0.0"},
      {"xsd:decimal(\"1\")", "1.0"},
      {"xsd:decimal(\"1E0\")", "error"},
      {"xsd:decimal(1)", "1.0"},
      {"xsd:decimal(1.25E0)", "1.25"},
      {"xsd:decimal(-7.875E0)", "-7.875"},
      {"xsd:decimal(1.0E0)", "1.0"},
      {"xsd:decimal(1.0E2)", "100.0"},
      {"xsd:decimal(\"1.25\"^^xsd:float)", "1.25"},
      {"xsd:decimal(0.1E0)", "0.1000000000000000055511151231257827021181583404541015625"},
      {"xsd:decimal(true)", "1.0"},
      {"xsd:decimal(\"NaN\"^^xsd:double)", "error"},
      {"xsd:float(\"1.5\")", "\"1.5E0\"^^<" XSD "float>"},
      {"xsd:float(1.5)", "\"1.5E0\"^^<" XSD "float>"},
      {"xsd:float(0.1E0)", "\"1.0E-1\"^^<" XSD "float>"},
      {"xsd:float(\"INF\")", "\"INF\"^^<" XSD "float>"},
      {"xsd:double(\"-10.2E3\")", "-1.02E4"},
      {"xsd:double(\"0E1\")", "0.0E0"},
      {"xsd:double(\"string\")", "error"},
      {"xsd:double(1)", "1.0E0"},
      {"xsd:double(0.1)", "1.0E-1"},
      {"xsd:double(true)", "1.0E0"},
      {"xsd:double(\"NaN\")", "\"NaN\"^^<" XSD "double>"},
      {"xsd:double(\"inf\")", "error"},
      {"xsd:double(123456789012345678901234567890)", "1.2345678901234568E29"},
      {"xsd:string(:a)", "\"http://x/a\""},
      {"xsd:string(\"a\"@en)", "\"a\""},
      {"xsd:string(1)", "\"1\""},
      {"xsd:string(1.0)", "\"1\""},
      {"xsd:string(1.50)", "\"1.5\""},
      {"xsd:string(0.0E0)", "\"0\""},
      {"xsd:string(1.0E0)", "\"1\""},
      {"xsd:string(1.25E0)", "\"1.25\""},
      {"xsd:string(-7.875E0)", "\"-7.875\""},
      {"xsd:string(1.5E-5)", "\"0.000015\""},
      {"xsd:string(999999.5E0)", "\"999999.5\""},
      {"xsd:string(1.0E6)", "\"1.0E6\""},
      {"xsd:string(1.0E-7)", "\"1.0E-7\""},
      {"xsd:string(1/0.0E0)", "\"INF\""},
      {"xsd:string(\"1.25\"^^xsd:float)", "\"1.25\""},
      {"xsd:string(\"0\"^^xsd:boolean)", "\"false\""},
      {"xsd:dateTime(\"2002-10-10T17:00:00Z\")", "\"2002-10-10T17:00:00Z\"^^<" XSD "dateTime>"},
      {"xsd:dateTime(\"2002-10-10\")", "error"},
      {"xsd:dateTime(\"2002-10-10Z\"^^xsd:date)", "\"2002-10-10T00:00:00Z\"^^<" XSD "dateTime>"},
      {"xsd:date(\"2002-10-10T17:00:00.5+05:00\"^^xsd:dateTime)",
       "\"2002-10-10+05:00\"^^<" XSD "date>"},
      {"xsd:time(\"2002-10-10T17:00:00.5Z\"^^xsd:dateTime)", "\"17:00:00.5Z\"^^<" XSD "time>"},
      {"xsd:date(\"2002-10-10\")", "\"2002-10-10\"^^<" XSD "date>"},
      {"xsd:date(\"2002-10-10\") < xsd:date(\"2002-10-11\")", "true"},
      {"xsd:duration(\"P1Y2M\")", "\"P1Y2M\"^^<" XSD "duration>"},
      {"xsd:dayTimeDuration(\"P1Y\")", "error"},
      {"xsd:integer(\"2002-10-10\"^^xsd:date)", "error"},
      {"xsd:dateTime(1)", "error"},
  };
  CHECK(examples);
}

/* What the planner is told: a function that is not known is named with its place. */
static void
test_expr__unknown_functions_are_named(void **state)
{
  prepared p;
  quoin_error err = QUOIN_ERROR_INIT;
  prepare(&p, *state, MODE_CONSTANT, "1 + :nosuch(2)");
  assert_int_equal(sparql_expr_supported(p.expr, &err), QUOIN_ERR_UNSUPPORTED);
  assert_non_null(strstr(err.message, "<http://x/nosuch>"));
  assert_true(err.line >= 1 && err.column > 1);
  prepared_free(&p);
  prepare(&p, *state, MODE_CONSTANT, "xsd:integer(\"1\") + STRLEN(\"a\")");
  assert_int_equal(sparql_expr_supported(p.expr, &err), QUOIN_OK);
  prepared_free(&p);
}

/* A match that would take minutes fails the query; it is not an expression error. */
static void
test_expr__regex_match_limit_fails_the_query(void **state)
{
  prepared p;
  quoin_error err = QUOIN_ERROR_INIT;
  atom_id out[WORLD_ROWS];
  prepare(&p, *state, MODE_CONSTANT,
          "REGEX(\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\", \"^(a+)+$\")");
  uint64_t before = base_clock_ns();
  assert_int_equal(sparql_expr_column(out, &p.ctx, p.expr, &p.batch, &err), QUOIN_ERR_LIMIT);
  print_message("the limit was reached after %.1f ms\n", (double)(base_clock_ns() - before) / 1e6);
  assert_non_null(strstr(err.message, "match limit"));
  prepared_free(&p);
}

/* `levels` calls around a text, each around the one below (twice where it says so). */
static void
nest(base_buffer *out, int levels, const char *head, const char *tail, bool twice)
{
  if (levels == 0) {
    base_buffer_text(out, "REPLACE(\"aaaaaaaaaaaaaaaaa\", \"a\", \"aaaaaaaaaaaaaaaaaaaaaaaa\")");
    return;
  }
  base_buffer_text(out, head);
  nest(out, levels - 1, head, tail, twice);
  if (twice) {
    base_buffer_text(out, ", ");
    nest(out, levels - 1, head, tail, twice);
  }
  base_buffer_text(out, tail);
}

/* Strings that multiply fail at the memory budget, not at the end of memory. */
static void
test_expr__long_strings_fail_at_the_budget(void **state)
{
  static const struct {
    const char *head, *tail;
    bool twice;
    int levels;
  } cases[] = {{"CONCAT(", ")", true, 5},
               {"REPLACE(", ", \".\", \"$0$0\")", false, 20},
               {"REPLACE(", ", \"a\", \"$0a\")", false, 20}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    prepared p;
    quoin_error err = QUOIN_ERROR_INIT;
    atom_id out[WORLD_ROWS];
    base_buffer text;
    base_buffer_init(&text, base_alloc_default());
    nest(&text, cases[i].levels, cases[i].head, cases[i].tail, cases[i].twice);
    base_buffer_byte(&text, '\0');
    prepare(&p, *state, MODE_CONSTANT, text.data);
    p.ctx.memory_limit = 20000;
    quoin_status st = sparql_expr_column(out, &p.ctx, p.expr, &p.batch, &err);
    assert_int_equal(st, QUOIN_ERR_LIMIT);
    assert_non_null(strstr(err.message, "memory budget"));
    prepared_free(&p);
    base_buffer_clear(&text);
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_expr__functions_on_terms),
      cmocka_unit_test(test_expr__functions_on_strings),
      cmocka_unit_test(test_expr__functions_on_numbers),
      cmocka_unit_test(test_expr__functions_on_times),
      cmocka_unit_test(test_expr__hash_functions),
      cmocka_unit_test(test_expr__casts),
      cmocka_unit_test(test_expr__unknown_functions_are_named),
      cmocka_unit_test(test_expr__long_strings_fail_at_the_budget),
      cmocka_unit_test(test_expr__regex_match_limit_fails_the_query),
  };
  return cmocka_run_group_tests(tests, world_open, world_close);
}
