import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.apache.jena.query.*;
import org.apache.jena.rdf.model.Model;
import org.apache.jena.riot.*;
import org.apache.jena.sparql.core.DatasetGraph;
import org.apache.jena.sys.JenaSystem;

/** Answers queries from standard input with Apache Jena ARQ, in strict mode. */
public final class ArqPeer {
  private static final InputStream in = new BufferedInputStream(System.in);
  private static final OutputStream out = new BufferedOutputStream(System.out);

  private static String line() throws IOException {
    StringBuilder text = new StringBuilder();
    for (int c = in.read(); c >= 0 && c != '\n'; c = in.read()) text.append((char)c);
    return text.toString();
  }

  private static void reply(char kind, byte[] body) throws IOException {
    out.write((kind + " " + body.length + "\n").getBytes(StandardCharsets.US_ASCII));
    out.write(body);
    out.flush();
  }

  private static void answer(Dataset data, String text) throws IOException {
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    try {
      Query query = QueryFactory.create(text);
      try (QueryExecution run = QueryExecution.dataset(data).query(query).timeout(10, TimeUnit.SECONDS).build()) {
        if (query.isAskType())
          ResultSetFormatter.outputAsJSON(body, run.execAsk());
        else if (query.isSelectType())
          ResultSetFormatter.outputAsJSON(body, run.execSelect());
        else {
          Model model = query.isConstructType() ? run.execConstruct() : run.execDescribe();
          RDFDataMgr.write(body, model, Lang.NTRIPLES);
          reply('G', body.toByteArray());
          return;
        }
      }
      reply('A', body.toByteArray());
    } catch (Throwable why) {
      reply('E', String.valueOf(why).getBytes(StandardCharsets.UTF_8));
    }
  }

  public static void main(String[] args) throws IOException {
    JenaSystem.init();
    ARQ.setStrictMode();
    Dataset data = DatasetFactory.createTxnMem();
    for (String head = line(); !head.isEmpty(); head = line()) {
      byte[] body = in.readNBytes(Integer.parseInt(head.substring(2)));
      if (head.charAt(0) == 'D') {
        data = DatasetFactory.createTxnMem();
        RDFParser.create().source(new ByteArrayInputStream(body)).lang(Lang.TRIG)
            .checking(false).labelToNode(org.apache.jena.riot.lang.LabelToNode.createUseLabelAsGiven())
            .parse(data.asDatasetGraph());
      } else {
        Dataset chosen = data;
        chosen.begin(ReadWrite.READ);
        try { answer(chosen, new String(body, StandardCharsets.UTF_8)); }
        finally { chosen.end(); }
      }
    }
  }
}
